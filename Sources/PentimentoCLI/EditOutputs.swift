import Files
import FoundationEssentials
import ImageFiles
import Pentimento

/// Where an edit leaves what it makes.
struct EditOutputs {
  /// One, or one for each value of a list.
  var pictures: [String]
  var mask: String?
  var inversion: String?
  var plot: PlotOptions?

  /// The path, once for every value where it has room for it: `ball-{}.png` → `ball-0.4.png`, ….
  static func paths(_ path: String, _ values: [Double]) -> [String] {
    values.count > 1 && path.contains("{}") ? values.map { path.replacing("{}", with: "\($0)") } : [path]
  }

  /// With the options that named them.
  var named: [NamedFile] {
    pictures.map { NamedFile("--output", $0) } + (mask.map { [NamedFile("--save-mask", $0)] } ?? [])
      + (inversion.map { [NamedFile("--save-inversion", $0)] } ?? []) + (plot?.named ?? [])
  }

  /// Refuses before the work starts what could not be written after it.
  ///
  /// - Throws: `PictureFileError`, `InversionError`.
  func check() throws {
    for picture in pictures { try PictureFile.checkWritable(picture) }
    if let mask { try PictureFile.checkWritable(mask, isMask: true) }
    if let inversion {
      do { try PartialFile.check(inversion) } catch { throw InversionError.cannotWrite(reason: "\(error)") }
    }
    try plot?.check()
  }

  /// The one place where results are written: all of them are whole and on disk before the first takes its name, and
  /// either all do or none.
  ///
  /// - Parameters:
  ///   - sources: as many as there are paths.
  ///   - result: with everything else.
  /// - Throws: `PictureFileError`, `InversionError`, `FileError`; what stood under the names is as it was.
  func write(
    _ sources: [any PictureSource], of result: EditResult, metadata: [(String, String)]
  ) throws {
    var files: [PartialFile] = []
    func file(_ path: String) throws(FileError) -> PartialFile {
      let file = try PartialFile(path: path)
      files.append(file)
      return file
    }
    for (path, source) in zip(pictures, sources) {
      try PictureFile.write(source, into: file(path), metadata: metadata)
    }
    if let mask, let source = result.mask { try PictureFile.write(source, into: file(mask)) }
    if let inversion, let saved = result.inversion { try InversionFile.write(saved, into: file(inversion)) }
    if let plot = try plot?.file(result.report.allLosses) { files.append(plot) }
    try Task.checkCancellation()
    try PartialFile.commit(files)
  }
}
