import FoundationEssentials
import Platform

/// What the program remembers from run to run and can do without, in the user's cache folder.
package enum UserCache {
  /// `$XDG_CACHE_HOME/pentimento/<name>`, or below `~/.cache`; nil where there is no place for it.
  package static func folder(_ name: String) -> String? {
    let environment = ProcessInfo.processInfo.environment
    // The specification of the base directories has relative paths ignored.
    let given = [environment["XDG_CACHE_HOME"], environment["HOME"].map { "\($0)/.cache" }]
    let cache = given.compactMap(\.self).first { $0.hasPrefix("/") }
    return cache.map { "\($0)/pentimento/\(name)" }
  }

  /// Makes a folder and those above it, for the user alone.
  package static func makeFolder(_ path: String) -> Bool {
    if FileReader.isFolder(path) { return true }
    guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return false }
    return makeFolder(String(path[..<slash])) && (mkdir(path, 0o700) == 0 || FileReader.isFolder(path))
  }

  /// Writes a small file of a folder that is there, whole or not at all. That it could not is no error.
  package static func write(_ text: String, to place: String) {
    let draft = "\(place).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).tmp"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    var text = text
    let isWritten = text.withUTF8 { Platform.write(descriptor, $0.baseAddress, $0.count) == $0.count }
    if close(descriptor) != 0 || !isWritten || rename(draft, place) != 0 { unlink(draft) }
  }
}
