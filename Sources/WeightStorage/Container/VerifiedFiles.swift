import Files
import FoundationEssentials
import Platform

/// The containers that were compared with their hashes and have not changed since: a file of one line for each in the
/// user's cache folder.
///
/// It is a cache: what is missing, cannot be read or says something else means "not verified", and where nothing can
/// be written a container is verified whenever it is used. A file that changes has the place of its own old line, so
/// lines do not pile up with versions; of `most` lines the oldest goes.
package struct VerifiedFiles: Sendable {
  /// Nil where there is no place for it.
  private let folder: String?
  private let most: Int

  package init(folder: String?, most: Int = 256) { (self.folder, self.most) = (folder, most) }

  /// `$XDG_CACHE_HOME/pentimento/verified`, or below `~/.cache`.
  package static var ofUser: VerifiedFiles {
    let environment = ProcessInfo.processInfo.environment
    // The specification of the base directories has relative paths ignored.
    let given = [environment["XDG_CACHE_HOME"], environment["HOME"].map { "\($0)/.cache" }]
    let cache = given.compactMap(\.self).first { $0.hasPrefix("/") }
    return VerifiedFiles(folder: cache.map { "\($0)/pentimento/verified" })
  }

  func contains(_ stamp: FileStamp) -> Bool {
    guard let place = place(of: stamp),
      let text = try? FileReader.contents(of: place, limit: 1 << 10)
    else { return false }
    return text.elementsEqual(stamp.text.utf8)
  }

  /// Remembers a file. That it could not is no error.
  func insert(_ stamp: FileStamp) {
    guard let folder, let place = place(of: stamp), Self.makeFolder(folder) else { return }
    stamp.settle()
    let draft = "\(place).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).tmp"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    var text = stamp.text
    let isWritten = text.withUTF8 { write(descriptor, $0.baseAddress, $0.count) == $0.count }
    if close(descriptor) != 0 || !isWritten || rename(draft, place) != 0 { unlink(draft) }
    trim(folder)
  }

  func remove(_ stamp: FileStamp) {
    if let place = place(of: stamp) { unlink(place) }
  }

  private func place(of stamp: FileStamp) -> String? {
    folder.map { "\($0)/\(String(stamp.device, radix: 16))-\(String(stamp.inode, radix: 16))" }
  }

  /// Makes a folder and those above it, for the user alone.
  private static func makeFolder(_ path: String) -> Bool {
    if FileReader.isFolder(path) { return true }
    guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return false }
    return makeFolder(String(path[..<slash])) && (mkdir(path, 0o700) == 0 || FileReader.isFolder(path))
  }

  /// Drafts that a killed run left are old one day too.
  private func trim(_ folder: String) {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder), names.count > most else {
      return
    }
    let dated = names.map { name -> (age: Int, path: String) in
      var status = stat()
      return (stat("\(folder)/\(name)", &status) == 0 ? Int(status.st_mtim.tv_sec) : 0, "\(folder)/\(name)")
    }
    for (_, path) in dated.sorted(by: { $0 < $1 }).prefix(names.count - most) { unlink(path) }
  }
}
