import Files
import Platform
import Tensors

/// A tensor of a checkpoint as networks read it: found once, and of a kind that they can read.
///
/// Whoever has one asks for no name again. What can still fail is the file: one that was cut off since, or a disk that
/// reports an error.
package struct StoredWeight: Sendable {
  package let tensor: TensorEntry
  package let format: WeightFormat
  private let file: any TensorFile

  fileprivate init(_ tensor: TensorEntry, _ format: WeightFormat, in file: any TensorFile) {
    (self.tensor, self.format, self.file) = (tensor, format, file)
  }

  /// Where it lies in the layout of the kernels; nil if it has to be read and packed. Valid as long as this value.
  package var address: UnsafeMutableRawPointer? { file.mapping?.address(tensor.range.lowerBound) }

  /// Reads rows, as `format.element`, to the start of `window`.
  ///
  /// - Returns: the part of the window that was filled.
  package func read(
    _ rows: Range<Int>, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) -> UnsafeRawBufferPointer {
    try file.fill(window, with: rows, of: tensor)
  }

  /// Asks the system to start reading all of it. Does not wait for the bytes.
  package func prefetch() { file.reader.prefetch(tensor.range) }

  /// Gives the cached pages of some rows back to the system; of all rows if none are named.
  package func dropCache(_ rows: Range<Int>? = nil) {
    file.reader.dropCache(rows.map { tensor.bytes(of: $0) } ?? tensor.range)
  }

  /// Bytes in the file.
  package var byteCount: Int { tensor.range.count }

  /// Gives back the pages of a weight that is used where it lies and not needed for a while.
  package func release() {
    file.mapping?.release(tensor.range)
    file.reader.dropCache(tensor.range)
  }
}

/// Copying weights that lie in their file as the kernels read them.
extension StoredWeight {
  /// What is read at once: enough to keep a card busy, little beside what a network takes. As much again is asked for
  /// ahead of it, so twice as much may lie in the page cache.
  package static let pieceBytes = 512 << 10

  /// Copies some of the weight's bytes, and asks the system to start reading as many behind them.
  ///
  /// - Throws: `truncated`, `readFailed`.
  package func copy(_ bytes: Range<Int>, to place: UnsafeMutableRawPointer) throws(WeightFileError) {
    let start = tensor.range.lowerBound + bytes.lowerBound
    let end = start + bytes.count
    // The first piece has been asked for by nobody.
    if bytes.lowerBound == 0 { file.reader.prefetch(start..<end) }
    let next = end..<min(end + Self.pieceBytes, tensor.range.upperBound)
    if !next.isEmpty { file.reader.prefetch(next) }
    try WeightFileError.ofFile { () throws(FileError) in
      try file.reader.read(into: .init(start: place, count: bytes.count), at: start)
    }
  }

  /// Whole pages of a file.
  package struct CachedPages: Equatable {
    fileprivate let reader: FileReader
    fileprivate let range: Range<Int>

    package static func == (a: CachedPages, b: CachedPages) -> Bool {
      a.reader === b.reader && a.range == b.range
    }

    /// Whether all of them belong to others.
    package func isIn(_ others: CachedPages) -> Bool {
      reader === others.reader && others.range.lowerBound <= range.lowerBound
        && range.upperBound <= others.range.upperBound
    }

    /// Gives them back to the system.
    package func drop() { reader.dropCache(range) }
  }

  /// The pages that some of the weight's bytes touch: those up to their end, and the last one apart where they end inside
  /// of it.
  package func pages(of bytes: Range<Int>) -> (whole: CachedPages, last: CachedPages?) {
    let start = tensor.range.lowerBound + bytes.lowerBound
    let pages = MemoryPages.touched(by: start..<start + bytes.count)
    let whole = pages.lowerBound..<(start + bytes.count) / MemoryPages.bytes * MemoryPages.bytes
    func cached(_ range: Range<Int>) -> CachedPages { CachedPages(reader: file.reader, range: range) }
    guard whole.upperBound < pages.upperBound else { return (cached(pages), nil) }
    let end = max(whole.upperBound, pages.lowerBound)
    return (cached(pages.lowerBound..<end), cached(end..<pages.upperBound))
  }
}

extension Checkpoint {
  /// - Parameter shape: what the network reads; nil accepts any.
  /// - Throws: `missingTensor`, `shapeMismatch`, `unsupportedElement`.
  package func weight(_ name: String, shape: [Int]? = nil) throws(WeightFileError) -> StoredWeight {
    let tensor = try tensor(name, shape: shape)
    return StoredWeight(tensor, try format(of: name), in: try place(of: name).file)
  }
}

extension TensorFile {
  /// Reads rows of a tensor, as what it is read as, to the start of `window`; the part that was filled.
  func fill(
    _ window: UnsafeMutableRawBufferPointer, with rows: Range<Int>, of tensor: TensorEntry
  ) throws(WeightFileError) -> UnsafeRawBufferPointer {
    let needed =
      tensor.elements(of: rows).count * (tensor.weight?.byteCount ?? tensor.element.byteCount)
    precondition(needed <= window.count, "\(needed) bytes of \(tensor.name) for a window of \(window.count)")
    let filled = UnsafeMutableRawBufferPointer(rebasing: window[..<needed])
    try read(rows, of: tensor, into: filled)
    return UnsafeRawBufferPointer(filled)
  }
}
