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
    VerifiedFiles(folder: UserCache.folder("verified"))
  }

  func contains(_ stamp: FileStamp) -> Bool {
    guard let place = place(of: stamp),
      let text = try? FileReader.contents(of: place, limit: 1 << 10)
    else { return false }
    return text.elementsEqual(stamp.text.utf8)
  }

  /// Remembers a file. That it could not is no error.
  func insert(_ stamp: FileStamp) {
    guard let folder, let place = place(of: stamp), UserCache.makeFolder(folder) else { return }
    stamp.settle()
    UserCache.write(stamp.text, to: place)
    trim(folder)
  }

  func remove(_ stamp: FileStamp) {
    if let place = place(of: stamp) { unlink(place) }
  }

  private func place(of stamp: FileStamp) -> String? {
    folder.map { "\($0)/\(String(stamp.device, radix: 16))-\(String(stamp.inode, radix: 16))" }
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
