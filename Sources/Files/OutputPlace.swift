import Platform

/// Where a file that is to be written will stand. Links are followed: what is replaced is the file behind them.
struct OutputPlace: Equatable {
  /// The file's path, and that of its folder.
  let path: String
  let folder: String

  /// Looks whether a file can stand there, as far as that shows without writing one.
  ///
  /// - Throws: `outputIsFolder`, `outputIsNoFile`, `outputFolderMissing`, `nameTooLong`, `writeFailed`.
  init(_ given: String) throws(FileError) {
    var path = given
    var status = stat()
    // As many as the kernel follows.
    for _ in 0..<40 {
      let folder = Self.folder(of: path)
      guard lstat(path, &status) == 0 else {
        let code = errno
        guard code == ENOENT || code == ENOTDIR else { throw .writing(given, code) }
        guard FileReader.isFolder(folder) else { throw .outputFolderMissing(file: given, folder: folder) }
        // A name that ends in a slash, or is empty, is no file's.
        guard let last = path.utf8.last, last != UInt8(ascii: "/") else { throw .writing(given, EISDIR) }
        (self.path, self.folder) = (path, folder)
        return
      }
      switch status.st_mode & S_IFMT {
      case S_IFLNK:
        guard let target = Self.target(of: path) else { throw .writing(given) }
        path = target.hasPrefix("/") ? target : "\(folder)/\(target)"
      case S_IFDIR: throw .outputIsFolder(file: given)
      case S_IFREG:
        guard Self.mayReplace(status, in: folder) else { throw .writing(given, EPERM) }
        (self.path, self.folder) = (path, folder)
        return
      default: throw .outputIsNoFile(file: given)
      }
    }
    throw .writing(given, ELOOP)
  }

  /// What stands before the last slash; of a bare name, the folder that one is in.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// What a symbolic link says.
  private static func target(of link: String) -> String? {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(link, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// In a folder for all, such as /tmp, a file is replaced by its owner alone.
  private static func mayReplace(_ file: stat, in folder: String) -> Bool {
    var status = stat()
    let user = geteuid()
    return stat(folder, &status) != 0 || status.st_mode & S_ISVTX == 0
      || [file.st_uid, status.st_uid, 0].contains(user)
  }
}
