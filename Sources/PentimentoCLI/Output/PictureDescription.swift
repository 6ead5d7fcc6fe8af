import ImageFiles
import JSON
import Pentimento
import Platform

/// What a picture's file is and says, for `inspect`.
struct PictureDescription {
  private var path: String
  private var open: OpenPicture
  private var texts: [(key: String, text: String)]
  private var record: EditRecord?

  /// Nil for what is no picture.
  ///
  /// - Throws: `PictureFileError` for a picture that cannot be read.
  init?(_ path: String) throws {
    // A pipe would be waited for.
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    do { open = try OpenPicture(path) } catch PictureFileError.notAPicture { return nil }
    self.path = path
    texts = try PictureFile.texts(path).filter { $0.0 != EditRecord.key }.map { ($0.0, $0.1) }
    record = try? EditRecord(of: path)
  }

  /// For people.
  var text: String {
    let facts = open.facts
    var lines = [
      "picture      \(path.printable())",
      "size         \(open.extent)\(facts.isTurned ? ", turned by its EXIF" : "")",
      "samples      \(facts.bits) bits\(facts.hasAlpha ? ", with transparency" : "")",
      "colours      \(colors)",
    ]
    for (key, text) in texts {
      // Line ends are the file's, so each line is shown as one of its text.
      lines += ["", "\(key.printable()):"]
      lines += text.split(separator: "\n", omittingEmptySubsequences: false).map {
        "  " + String($0).printable()
      }
    }
    if let record {
      lines += ["", "made by pentimento \(record.program), kernels \(record.kernels), with"]
      for name in record.options.keys { lines.append("  " + shown(name, record.options[name]!)) }
    }
    return lines.joined(separator: "\n")
  }

  /// For programs. Later versions keep these fields and may add others.
  struct Report: Encodable {
    var kind = "picture"
    var path: String
    /// Upright, in pixels.
    var width: Int
    var height: Int
    var isTurned: Bool
    /// Per sample.
    var bits: Int
    var hasTransparency: Bool
    /// What is known of them, in words.
    var colours: String
    var texts: [String: String]
    /// What made it, where this program did: options by their names, in their units.
    var madeBy: Maker?

    struct Maker: Encodable {
      var program: String
      var kernels: String
      var options: EncodedJSON
    }
  }

  var report: Report {
    let facts = open.facts
    return Report(
      path: path, width: open.extent.width, height: open.extent.height, isTurned: facts.isTurned,
      bits: facts.bits, hasTransparency: facts.hasAlpha, colours: colors,
      texts: Dictionary(texts.map { ($0.key, $0.text) }, uniquingKeysWith: { first, _ in first }),
      madeBy: record.map {
        .init(program: $0.program, kernels: $0.kernels, options: EncodedJSON(value: .object($0.options)))
      })
  }

  private var colors: String {
    switch open.facts.colors {
    case .standard: "sRGB, or nothing is said"
    case .converted(let name): "\(name), converted to sRGB and back"
    case .carried(let name): "\(name), not understood, goes with the samples"
    case .ignored(let name): "\(name), not understood"
    }
  }
}

/// A value of JSON in a report.
struct EncodedJSON: Encodable {
  var value: JSONValue

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    switch value {
    case .string(let text): try text.encode(to: encoder)
    case .integer(let number): try number.encode(to: encoder)
    case .real(let number): try number.encode(to: encoder)
    case .bool(let flag): try flag.encode(to: encoder)
    case .array(let list): try list.map(EncodedJSON.init).encode(to: encoder)
    case .object(let object):
      var fields = encoder.container(keyedBy: Key.self)
      for key in object.keys {
        try fields.encode(EncodedJSON(value: object[key]!), forKey: Key(stringValue: key))
      }
    case .null:
      var field = encoder.singleValueContainer()
      try field.encodeNil()
    }
  }
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
