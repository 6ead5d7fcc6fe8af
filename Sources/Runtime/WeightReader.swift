import Kernels
import NeuralGraph
import WeightStorage

/// Brings weights from their file into memory, one after another.
///
/// A container's weights are copied as they lie. Pages of the file are dropped from the page cache behind the reader, but
/// for the last one where the next weight may begin: no page is read twice because two weights share it.
final class WeightReader {
  private let graph: Graph
  private let stored: [Value: StoredWeight]
  private let staging: MemoryRegion
  /// Bytes read so far.
  private(set) var bytes = 0
  /// Pages that are read and not dropped yet, for every file that they belong to, the newest last.
  private var kept: [StoredWeight.CachedPages] = []

  /// Pages that may be shared with a weight that comes soon.
  private static let mostKept = 16

  /// - Parameter stagingBytes: `WeightLoader.stagingBytes` of the weights that have to be packed.
  /// - Throws: `SystemRefusal.memory`.
  init(_ graph: Graph, _ stored: [Value: StoredWeight], stagingBytes: Int) throws {
    (self.graph, self.stored) = (graph, stored)
    staging = try MemoryRegion(byteCount: stagingBytes)
  }

  /// - Parameters:
  ///   - pool: packs what has to be packed.
  ///   - check: called between two pieces of a weight; throws to end it.
  /// - Throws: `WeightFileError` where the file cannot be read.
  func read(
    _ value: Value, to place: UnsafeMutableRawPointer, _ pool: ThreadPool, check: () throws -> Void = {}
  ) throws {
    let weight = stored[value]!
    guard weight.address != nil else {
      try WeightLoader(weight: graph.weight(value)!, stored: weight).load(
        into: place, staging: staging, pool: pool)
      bytes += weight.byteCount
      return
    }
    let count = graph.type(value).byteCount
    precondition(count == weight.byteCount, "\(weight.tensor.name): \(weight.byteCount) bytes for \(count)")
    for start in stride(from: 0, to: count, by: StoredWeight.pieceBytes) {
      try check()
      let piece = start..<min(start + StoredWeight.pieceBytes, count)
      try weight.copy(piece, to: place + start)
      drop(behind: weight.pages(of: piece))
    }
    bytes += count
  }

  /// Gives back the pages that were kept for a neighbour.
  func finish() {
    for pages in kept { pages.drop() }
    kept = []
    staging.giveBack()
  }

  /// Drops what was read, but for a last page that goes on.
  private func drop(behind pages: (whole: StoredWeight.CachedPages, last: StoredWeight.CachedPages?)) {
    kept.removeAll { $0.isIn(pages.whole) }
    pages.whole.drop()
    guard let last = pages.last, !kept.contains(last) else { return }
    kept.append(last)
    if kept.count > Self.mostKept { kept.removeFirst().drop() }
  }
}
