import ArgumentParser
import Files
import FoundationEssentials
import Pentimento

/// The files of a run: those that are read and shall survive, and those that are written.
struct RunFiles {
  /// Files, and folders of models.
  var read: [String] = []
  var written: [NamedFile] = []

  /// Refuses before the work starts what must not, or could not, be written after it.
  ///
  /// - Throws: `ValidationError` where a file to be written is one that is read, or two to be written are one, however
  ///   their paths are spelt; `FileError` for a name or a folder that cannot be.
  func check() throws {
    // What every run reads: the program and the vocabulary that comes with it.
    let own = ["/proc/self/exe"] + ModelLocation.publishedMergesPaths
    do {
      try FileClash.check(
        written: written.map { NamedFile($0.role, Self.leading($0.path)) },
        read: (own + read).map { NamedFile("", $0) })
    } catch {
      switch error.kind {
      case .readAndWritten:
        throw ValidationError(
          "\(error.written.role) \(error.written.path) would replace a file that is read: name another file")
      case .writtenTwice:
        throw ValidationError("\(error.other.role) and \(error.written.role) are one file: name two")
      }
    }
    for file in written { try PartialFile.check(file.path) }
  }

  /// Where there is none of the folders on the way, `none/../a.png` is `a.png` all the same.
  private static func leading(_ path: String) -> String {
    FileIdentity(path) != nil ? path : URL(fileURLWithPath: path).standardizedFileURL.path
  }
}
