import Platform

#if canImport(Musl)
  typealias CStream = OpaquePointer
#else
  typealias CStream = UnsafeMutablePointer<FILE>
#endif

/// A regular file opened for reading, closed with its owner.
///
/// The stream is a pointer because libpng reads from it.
struct InputFile: ~Copyable {
  let path: String
  let stream: CStream

  init(_ path: String) throws(PictureFileError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw [ENOENT, ENOTDIR].contains(errno)
        ? .missing(path: path) : .unreadable(path: path, reason: currentError())
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw .isDirectory(path: path)
    default: throw .unreadable(path: path, reason: "not a regular file")  // a pipe would wait for its writer
    }
    guard let stream = fopen(path, "rb") else {
      throw .unreadable(path: path, reason: currentError())
    }
    self.path = path
    self.stream = stream
  }

  deinit { fclose(stream) }

  /// The next bytes, fewer at the end of the file.
  func start(byteCount: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    bytes.removeLast(byteCount - read(into: &bytes))
    return bytes
  }

  /// Fills `bytes` as far as the file goes and returns how far that was.
  func read(into bytes: inout [UInt8]) -> Int { fread(&bytes, 1, bytes.count, stream) }

  /// Nil at the end of the file.
  func nextByte() -> UInt8? {
    let byte = getc(stream)
    return byte == EOF ? nil : UInt8(byte)
  }

  func rewind() { fseek(stream, 0, SEEK_SET) }
}

/// The C library's words for what just failed.
func currentError() -> String { String(cString: strerror(errno)) }
