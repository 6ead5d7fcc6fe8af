import Files
import Synchronization
import WeightStorage

extension Model {
  /// Paths of the files that the model's weights are read from.
  public var weightPaths: [String] { weightFiles.map(\.path) }

  /// The files that the model's weights are read from, each once, sorted.
  var weightFiles: [FileReader] {
    var files: [String: FileReader] = [:]
    for file in components.flatMap(\.checkpoint.files) { files[file.reader.path] = file.reader }
    return files.values.sorted { $0.path < $1.path }
  }
}

/// SHA-256 of the file that a model's weights come from, as model sites publish it. Of several files, that of the list
/// of their hashes, a line each, in the order of their paths.
///
/// Taken on a thread of its own: it needs as long as packing the weights, and nothing of it. Given up at deinit.
struct SourceHash {
  private final class Digits: Sendable {
    let text = Mutex("")
  }
  private let digits = Digits()
  private let thread: SerialThread

  /// - Throws: `SystemRefusal.thread`
  init(_ files: [FileReader]) throws {
    thread = try SerialThread()
    thread.run { [digits] check in
      let hashes = try files.map { try $0.hash(0..<$0.count, check: check) }
      let hash = hashes.count == 1 ? hashes[0] : SHA256.hex(of: hashes.map { "\($0)\n" }.joined().utf8)
      digits.text.withLock { $0 = hash }
    }
  }

  /// Waits for it.
  ///
  /// - Throws: `FileError`
  func value() throws -> String {
    try thread.wait()
    return digits.text.withLock { $0 }
  }
}
