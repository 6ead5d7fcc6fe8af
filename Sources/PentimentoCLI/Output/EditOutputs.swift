import ArgumentParser
import Files
import FoundationEssentials
import ImageFiles
import Pentimento

/// Where an edit leaves what it makes.
struct EditOutputs {
  /// One, or one for each value of a list.
  var pictures: [PictureOutput]
  var mask: PictureOutput?
  var inversion: String?
  var plot: PlotOptions?

  /// The path, once for every value where it has room for it: `ball-{}.png` → `ball-0.4.png`, ….
  static func paths(_ path: String, _ values: [Double]) -> [String] {
    values.count > 1 && path.contains("{}") ? values.map { path.replacing("{}", with: "\($0)") } : [path]
  }

  /// Whether the EXIF of the photo goes with the result.
  var keepsEXIF = true

  /// Files, with the options that named them.
  var named: [NamedFile] {
    var files = pictures.filter { !$0.isStream }.map { NamedFile("--output", $0.path) }
    if let mask, !mask.isStream { files.append(NamedFile("--save-mask", mask.path)) }
    if let inversion { files.append(NamedFile("--save-inversion", inversion)) }
    return files + (plot?.named ?? [])
  }

  /// Refuses before the work starts what could not be written after it.
  ///
  /// - Throws: `PictureFileError`, `InversionError`.
  func check() throws {
    for picture in pictures + [mask].compactMap({ $0 }) { try picture.check() }
    guard Set(([mask].compactMap { $0 } + pictures).filter { $0.path == "-" }.map(\.isMask)).count < 2 else {
      throw ValidationError("standard output takes one picture: name a file for --output or --save-mask")
    }
    if let inversion {
      do { try PartialFile.check(inversion) } catch { throw InversionError.cannotWrite(reason: "\(error)") }
    }
    try plot?.check()
  }

  /// The one place where results are written: all of them are whole and on disk before the first takes its name, and
  /// either all do or none.
  ///
  /// - Parameters:
  ///   - sources: as many as there are paths; with texts for each.
  ///   - result: with everything else.
  /// - Throws: `PictureFileError`, `InversionError`, `FileError`; what stood under the names is as it was.
  func write(
    _ sources: [any PictureSource], of result: EditResult, metadata: [[(String, String)]]
  ) throws {
    var files: [PartialFile] = []
    func file(_ path: String) throws(FileError) -> PartialFile {
      let file = try PartialFile(path: path)
      files.append(file)
      return file
    }
    var streams: [(PictureOutput, SpooledFile)] = []
    /// Where the bytes of a picture go.
    func sink(_ output: PictureOutput) throws -> ByteSink {
      guard output.isStream else {
        let file = try file(output.path)
        return { bytes in try file.write(bytes) }
      }
      let spool = try SpooledFile(label: output.path == "-" ? "standard output" : output.path)
      streams.append((output, spool))
      return { bytes in try spool.write(bytes) }
    }
    for (i, (output, source)) in zip(pictures, sources).enumerated() {
      let metadata = metadata[i]
      let encoder = try PictureEncoder(output.encoding, metadata: metadata, keepsEXIF: keepsEXIF)
      try encoder.encode(source, into: sink(output))
      if let lost = source.lost(in: output.encoding) { note("\(output.path): \(lost)") }
    }
    if let mask, let source = result.mask {
      try PictureEncoder(mask.encoding).encode(source, into: sink(mask))
    }
    if let inversion, let saved = result.inversion { try InversionFile.write(saved, into: file(inversion)) }
    if let plot = try plot?.file(result.report.allLosses) { files.append(plot) }
    try Task.checkCancellation()
    for (output, spool) in streams { try output.send(spool) }
    try PartialFile.commit(files)
  }
}
