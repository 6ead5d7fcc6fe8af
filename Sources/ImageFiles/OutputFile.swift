import Platform

/// Writing all or nothing.
enum OutputFile {
  /// Lets `body` fill a new file beside `path`, brings it to disk and gives it the name `path`.
  ///
  /// - Parameter body: returns nil, or why it could not write.
  /// - Postcondition: on failure what stood under `path` is as it was, and nothing new lies in the folder.
  static func write(to path: String, _ body: (CStream) -> String?) throws(PictureFileError) {
    var status = stat()
    let replaces = stat(path, &status) == 0
    if replaces, status.st_mode & S_IFMT == S_IFDIR { throw .isTaken(path: path) }

    let folder = folder(of: path)
    let (draft, descriptor) = try createDraft(in: folder, for: path)
    var problem: String?
    if let stream = fdopen(descriptor, "wb") {
      problem = body(stream)
      // The permissions of the file that is replaced; a new one has the user's usual ones.
      if replaces { fchmod(descriptor, status.st_mode & 0o777) }
      // The disk may turn out to be full only here.
      if fflush(stream) != 0 || fsync(descriptor) != 0 { problem = problem ?? currentError() }
      if fclose(stream) != 0 { problem = problem ?? currentError() }
    } else {
      problem = currentError()
      close(descriptor)
    }
    if problem == nil, rename(draft, path) != 0 { problem = currentError() }
    if let problem {
      unlink(draft)
      throw .unwritable(path: path, reason: problem)
    }
    sync(folder: folder)
  }

  /// Throws what `write` would throw, as far as that can be known before there is anything to write.
  static func check(_ path: String) throws(PictureFileError) {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { throw .isTaken(path: path) }
    // Permission bits do not tell everything: a file system may be read-only or full.
    let (draft, descriptor) = try createDraft(in: folder(of: path), for: path)
    close(descriptor)
    unlink(draft)
  }

  private static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[...$0]) } ?? "./"
  }

  /// A new empty file with a name nobody uses.
  private static func createDraft(
    in folder: String, for path: String
  ) throws(PictureFileError) -> (name: String, descriptor: Int32) {
    for attempt in 0..<1000 {
      let name = "\(folder).pentimento-\(getpid())-\(attempt).tmp"
      let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor >= 0 { return (name, descriptor) }
      if errno == EEXIST { continue }
      throw [ENOENT, ENOTDIR].contains(errno)
        ? .folderMissing(path: path) : .unwritable(path: path, reason: currentError())
    }
    throw .unwritable(path: path, reason: "too many unfinished files in its folder")
  }

  /// Makes the new name survive a power cut. Not every file system offers this, so failure is no error.
  private static func sync(folder: String) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
