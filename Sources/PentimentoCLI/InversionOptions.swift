import ArgumentParser
import FoundationEssentials
import ImageFiles
import Pentimento

/// Keeping the inversion of a picture, and editing with one that was kept.
struct InversionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Keep the picture's inversion in a file, so that further prompts cost the sampling alone.",
      valueName: "file"))
  var saveInversion: String?

  @Option(
    help: ArgumentHelp(
      "Use a kept inversion instead of inverting. --image may be left out, and so may what it was made with.",
      valueName: "file"))
  var inversion: String?

  func validate() throws {
    guard saveInversion == nil || inversion == nil else {
      throw ValidationError("--inversion and --save-inversion: give one of them, the file can be copied")
    }
  }

  /// Refuses before the work starts what could not be written after it.
  func checkWritable() throws {
    guard let saveInversion else { return }
    var isFolder = false
    guard !FileManager.default.fileExists(atPath: saveInversion, isDirectory: &isFolder) || !isFolder else {
      throw InversionError.cannotWrite(reason: "\(saveInversion) is a folder; name a file")
    }
    let folder = URL(fileURLWithPath: saveInversion).deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw InversionError.cannotWrite(
        reason: "the folder \(folder) does not exist or cannot be written to; name another")
    }
  }

  func read() throws -> SavedInversion? { try inversion.map(InversionFile.read) }

  /// Writes the inversion of an edit, if it was to be kept, with how its size came about.
  func write(_ result: EditResult, _ geometry: Geometry, _ size: SizeOptions) throws {
    guard let saveInversion, var saved = result.inversion else { return }
    saved.origin.original = PixelSize(width: geometry.picture.width, height: geometry.picture.height)
    saved.origin.sizeOption = size.size
    try InversionFile.write(saved, to: saveInversion)
  }
}

extension SavedInversion {
  /// Size of the picture that it was made from.
  var pictureExtent: Extent {
    origin.original.map { Extent(width: $0.width, height: $0.height) }
      ?? Extent(width: origin.width, height: origin.height)
  }
}
