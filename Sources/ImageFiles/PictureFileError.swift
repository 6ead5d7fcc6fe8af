import Files
import Platform

/// Why a picture could not be read or written; each sentence names the cause and the next step.
public enum PictureFileError: Error, Equatable, CustomStringConvertible {
  case missing(path: String)
  case isDirectory(path: String)
  case unreadable(path: String, reason: String)
  case empty(path: String)
  case notAPicture(path: String)
  /// A picture of a format that is recognized but not read.
  case unsupported(path: String, format: String)
  /// Truncated or corrupt; `reason` is the decoder's own message.
  case damaged(path: String, reason: String)
  /// The library for JPEG is not installed.
  case decoderMissing(path: String)
  case tooLarge(path: String, width: Int, height: Int)
  /// Other pixels than when it was first read.
  case changed(path: String)

  case unknownExtension(path: String)
  case folderMissing(path: String)
  case unwritable(path: String, reason: String)
  /// A folder has the name of the file to be written.
  case isTaken(path: String)
  /// A key that PNG does not allow (1 to 79 characters of ASCII, no space at either end or twice in a row),
  /// or a value with a zero byte.
  case invalidMetadata(key: String)

  /// Nothing is wrong with the picture.
  case refused(SystemRefusal)

  public var description: String {
    switch self {
    case .missing(let path): "\(path) does not exist: check the name"
    case .isDirectory(let path): "\(path) is a folder: name a picture file in it"
    case .unreadable(let path, let reason): "\(path) cannot be read (\(reason)): check its permissions"
    case .empty(let path): "\(path) is empty: copy or export the picture again"
    case .notAPicture(let path): "\(path) is not a picture: name a PNG, JPEG, PPM or PGM file"
    case .unsupported(let path, let format): "\(path): \(format) is not read: \(Self.wayOut(path, format))"
    case .damaged(let path, let reason): "\(path) is damaged (\(reason)): copy or export the picture again"
    case .decoderMissing(let path):
      """
      \(path) is a JPEG, which takes libturbojpeg, and that is not installed: install libturbojpeg0 \
      (Debian: sudo apt-get install libturbojpeg0), or use PNG
      """
    case .tooLarge(let path, let width, let height):
      """
      \(path) is \(width)×\(height) pixels, more than \(PictureFile.maximumSide) a side or \
      \(PictureFile.maximumArea / 1_000_000) megapixels: make it smaller first
      """
    case .changed(let path): "\(path) changed during the edit: leave it alone until the edit is done"
    case .unknownExtension(let path):
      "\"\(path)\" cannot be written by its ending: name a .png, .jpg or .ppm file, for a mask a .png or .pgm file"
    case .folderMissing(let path): "the folder of \(path) does not exist: create it first"
    case .unwritable(let path, let reason):
      "\(path) cannot be written (\(reason)): choose another folder or make room"
    case .isTaken(let path): "\(path) is a folder: name a picture file in it"
    case .invalidMetadata(let key): "metadata \"\(key)\" does not fit into a PNG: use a short plain key"
    case .refused(let refusal): refusal.description
    }
  }
}

extension PictureFileError {
  /// How to come from a format that is not read to one that is.
  private static func wayOut(_ path: String, _ format: String) -> String {
    switch format {
    case "CMYK JPEG":
      """
      it is separated for print, convert it to RGB with its profile first (ImageMagick: convert \(path) -profile \
      sRGB.icc photo.png)
      """
    case "HEIC", "AVIF":
      """
      convert it first (Debian: apt-get install libheif-examples; heif-convert \(path) photo.png), or have the phone \
      save JPEG (iPhone: Settings, Camera, Formats, Most Compatible)
      """
    default: "convert it to PNG"
    }
  }
}

extension PictureFileError: CarriesRefusal {
  package var refusal: SystemRefusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}

extension PictureFileError {
  /// What is wrong with the file itself, said of a picture.
  init(_ error: FileError) {
    switch error {
    case .missing(let file): self = .missing(path: file)
    case .notARegularFile(let file): self = .unreadable(path: file, reason: "not a regular file")
    case .unreadable(let file, let reason), .readFailed(let file, let reason):
      self = .unreadable(path: file, reason: reason)
    case .linkLoop(let file):
      self = .unreadable(path: file, reason: "a symbolic link that leads back to itself")
    case .truncated(let file, _, _):
      self = .damaged(path: file, reason: "it became shorter while it was read")
    case .outputIsFolder(let file): self = .isTaken(path: file)
    case .outputFolderMissing(let file, _): self = .folderMissing(path: file)
    case .writeFailed(let file, let reason): self = .unwritable(path: file, reason: reason)
    case .outputIsNoFile(let file): self = .unwritable(path: file, reason: "it is a device or a pipe")
    case .nameTooLong(let file): self = .unwritable(path: file, reason: "its name is too long for the folder")
    case .refused(let refusal): self = .refused(refusal)
    }
  }

  @discardableResult
  static func ofFile<R>(_ body: () throws(FileError) -> R) throws(PictureFileError) -> R {
    do throws(FileError) { return try body() } catch { throw PictureFileError(error) }
  }
}
