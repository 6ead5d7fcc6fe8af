import Files
import ImageFiles
import Pentimento

/// Where an edit leaves what it makes.
struct EditOutputs {
  var picture: String
  var mask: String?
  var inversion: String?

  /// With the options that named them.
  var named: [NamedFile] {
    [NamedFile("--output", picture)] + (mask.map { [NamedFile("--save-mask", $0)] } ?? [])
      + (inversion.map { [NamedFile("--save-inversion", $0)] } ?? [])
  }

  /// Refuses before the work starts what could not be written after it.
  ///
  /// - Throws: `PictureFileError`, `InversionError`.
  func check() throws {
    try PictureFile.checkWritable(picture)
    if let mask { try PictureFile.checkWritable(mask, isMask: true) }
    if let inversion {
      do { try PartialFile.check(inversion) } catch { throw InversionError.cannotWrite(reason: "\(error)") }
    }
  }

  /// The one place where results are written: all of them are whole and on disk before the first takes its name, and
  /// either all do or none.
  ///
  /// - Throws: `PictureFileError`, `InversionError`, `FileError`; what stood under the names is as it was.
  func write(_ result: EditResult, metadata: [(String, String)]) throws {
    var files: [PartialFile] = []
    func file(_ path: String) throws(FileError) -> PartialFile {
      let file = try PartialFile(path: path)
      files.append(file)
      return file
    }
    try PictureFile.write(result.picture, into: file(picture), metadata: metadata)
    if let mask, let source = result.mask { try PictureFile.write(source, into: file(mask)) }
    if let inversion, let saved = result.inversion { try InversionFile.write(saved, into: file(inversion)) }
    try Task.checkCancellation()
    try PartialFile.commit(files)
  }
}
