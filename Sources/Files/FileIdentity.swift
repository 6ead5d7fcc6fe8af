import Platform

/// What tells whether two paths are one file: links are followed, and hard links are one file as well.
package struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let inode: UInt64
  /// Of a file that is not there yet: its name, and the numbers are those of its folder.
  private let name: String?

  /// Nil where there is neither the file nor its folder.
  package init?(_ path: String) {
    if let (device, inode) = Self.numbers(path) {
      (self.device, self.inode, name) = (device, inode, nil)
    } else {
      // The file that writing to a link would make.
      guard let place = try? OutputPlace(path), let (device, inode) = Self.numbers(place.folder) else {
        return nil
      }
      (self.device, self.inode) = (device, inode)
      name = place.path.split(separator: "/").last.map(String.init)
    }
  }

  private static func numbers(_ path: String) -> (UInt64, UInt64)? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return (UInt64(truncatingIfNeeded: status.st_dev), UInt64(truncatingIfNeeded: status.st_ino))
  }
}

/// A file of a run, and what the user calls it.
package struct NamedFile: Equatable, Sendable {
  /// What it is for: `--output`.
  package var role: String
  package var path: String

  package init(_ role: String, _ path: String) { (self.role, self.path) = (role, path) }
}

/// A file that would be written over while it is needed, or twice.
package struct FileClash: Error, Equatable, Sendable {
  package enum Kind: Sendable {
    /// `other` is read.
    case readAndWritten
    /// `other` is written too.
    case writtenTwice
  }

  package var kind: Kind
  package var written: NamedFile
  package var other: NamedFile
  /// The file below `other` that would be written over, if that is a folder.
  package var inside: String?

  /// Looks for two files of a run that are one.
  ///
  /// - Parameters:
  ///   - written: files that will be written; they need not be there yet.
  ///   - read: files that are read, and folders of models: of those, whatever may be a model's.
  /// - Throws: the first clash; nothing is touched.
  package static func check(written: [NamedFile], read: [NamedFile]) throws(FileClash) {
    var places: [FileIdentity: NamedFile] = [:]
    for file in written {
      guard let identity = FileIdentity(file.path) else { continue }  // cannot be written, and writing says so
      if let other = places.updateValue(file, forKey: identity) {
        throw FileClash(kind: .writtenTwice, written: other, other: file)
      }
    }
    for file in read {
      for path in ModelWalk(file.path) {
        guard let identity = FileIdentity(path), let place = places[identity] else { continue }
        throw FileClash(
          kind: .readAndWritten, written: place, other: file, inside: path == file.path ? nil : path)
      }
    }
  }
}

/// A file, or the files of a model's folder: those in it and in the folders of its components. Links are followed.
private struct ModelWalk: Sequence, IteratorProtocol {
  /// Of files that a model is made of, whether they are read today or not; results may lie beside them.
  private static let endings = ["json", "txt", "safetensors", "gguf", "model", "bin", "ckpt", "pt", "pth"]
  private static let depth = 2
  private var pending: [(path: String, depth: Int)]

  init(_ path: String) { pending = [(path, 0)] }

  mutating func next() -> String? {
    while let (path, depth) = pending.popLast() {
      guard FileReader.isFolder(path) else {
        if depth == 0 || Self.endings.contains(where: { path.lowercased().hasSuffix(".\($0)") }) {
          return path
        }
        continue
      }
      guard depth < Self.depth else { continue }
      for name in (try? FileReader.names(in: path)) ?? [] { pending.append(("\(path)/\(name)", depth + 1)) }
    }
    return nil
  }
}
