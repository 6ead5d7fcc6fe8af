import Platform

extension PartialFile {
  /// Puts the file in place.
  ///
  /// - Returns: what it took to bring to disk what was not there yet.
  @discardableResult package func commit() throws(FileError) -> Duration { try Self.commit([self]) }

  /// Puts all files in place, or none: each is on disk before the first takes its place, and if one of them cannot,
  /// those before it are taken back.
  ///
  /// One who is killed between two of them leaves some new and some old, each whole.
  ///
  /// - Parameter files: no two for one place.
  /// - Returns: what it took to bring to disk what was not there yet.
  @discardableResult package static func commit(_ files: [PartialFile]) throws(FileError) -> Duration {
    var duration = Duration.zero
    var moved: [Replacement] = []
    do throws(FileError) {
      for file in files { duration += try file.prepare() }
      for file in files { try file.close() }
      for (i, file) in files.enumerated() {
        moved.append(try file.move(isFinal: i == files.count - 1))
      }
    } catch {
      for replacement in moved.reversed() { replacement.takeBack() }
      for file in files { file.discard() }
      throw error
    }
    for replacement in moved { replacement.keep() }
    for folder in Set(moved.map(\.place.folder)) { sync(folder) }
    return duration
  }

  /// Makes new names last through a power cut too. The files themselves are safe already, so failing is no error.
  static func sync(_ folder: String) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    Platform.close(descriptor)
  }
}
