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
  case tooLarge(path: String, width: Int, height: Int)
  /// Of another size than at the start of the run.
  case changed(path: String)

  case unknownExtension(path: String)
  case folderMissing(path: String)
  case unwritable(path: String, reason: String)
  /// A folder has the name of the file to be written.
  case isTaken(path: String)
  /// A key that PNG does not allow (1 to 79 characters of ASCII, no space at either end or twice in a row),
  /// or a value with a zero byte.
  case invalidMetadata(key: String)

  public var description: String {
    switch self {
    case .missing(let path): "\(path) does not exist: check the name"
    case .isDirectory(let path): "\(path) is a folder: name a picture file in it"
    case .unreadable(let path, let reason): "\(path) cannot be read (\(reason)): check its permissions"
    case .empty(let path): "\(path) is empty: copy or export the picture again"
    case .notAPicture(let path): "\(path) is not a picture: name a PNG, PPM or PGM file"
    case .unsupported(let path, let format): "\(path): \(format) is not read yet: convert it to PNG"
    case .damaged(let path, let reason): "\(path) is damaged (\(reason)): copy or export the picture again"
    case .tooLarge(let path, let width, let height):
      """
      \(path) is \(width)×\(height) pixels, more than \(PictureFile.maximumSide) a side or \
      \(PictureFile.maximumArea / 1_000_000) megapixels: make it smaller first
      """
    case .changed(let path): "\(path) changed its size during the edit: leave it alone until the edit is done"
    case .unknownExtension(let path):
      "\"\(path)\" has no ending to write by: name a .png or .ppm file, for a mask a .png or .pgm file"
    case .folderMissing(let path): "the folder of \(path) does not exist: create it first"
    case .unwritable(let path, let reason):
      "\(path) cannot be written (\(reason)): choose another folder or make room"
    case .isTaken(let path): "\(path) is a folder: name a picture file in it"
    case .invalidMetadata(let key): "metadata \"\(key)\" does not fit into a PNG: use a short plain key"
    }
  }
}
