import ImageFiles
import JSON
import Pentimento
import Platform

/// What a picture's file is and says; nil for what is no picture.
///
/// - Throws: `PictureFileError` for a picture that cannot be read.
func pictureDescription(_ path: String) throws -> String? {
  // A pipe would be waited for.
  var status = stat()
  guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
  let open: OpenPicture
  do { open = try OpenPicture(path) } catch PictureFileError.notAPicture { return nil }
  let facts = open.facts
  let colors =
    switch facts.colors {
    case .standard: "sRGB, or nothing is said"
    case .converted(let name): "\(name), converted to sRGB and back"
    case .carried(let name): "\(name), not understood, goes with the samples"
    case .ignored(let name): "\(name), not understood"
    }
  var lines = [
    "picture      \(path.printable())",
    "size         \(open.extent)\(facts.isTurned ? ", turned by its EXIF" : "")",
    "samples      \(facts.bits) bits\(facts.hasAlpha ? ", with transparency" : "")", "colours      \(colors)",
  ]
  for (key, text) in try PictureFile.texts(path) where key != EditRecord.key {
    // Line ends are the file's, so each line is shown as one of its text.
    lines += ["", "\(key.printable()):"]
    lines += text.split(separator: "\n", omittingEmptySubsequences: false).map {
      "  " + String($0).printable()
    }
  }
  if let record = try? EditRecord(of: path) {
    lines += ["", "made by pentimento \(record.program), kernels \(record.kernels), with"]
    for name in record.options.keys { lines.append("  " + shown(name, record.options[name]!)) }
  }
  return lines.joined(separator: "\n")
}

private func shown(_ name: String, _ value: JSONValue) -> String {
  switch value {
  case .object(let file):
    guard case .string(let path)? = file["name"], case .string(let hash)? = file["sha256"] else { break }
    return "--\(name) \(path.printable())  sha256 \(hash.prefix(16))"
  case .string(let text): return "--\(name) \"\(text.printable())\""
  case .array(let list): return list.map { shown(name, $0) }.joined(separator: "\n  ")
  default: break
  }
  return "--\(name) \(value.text)"
}
