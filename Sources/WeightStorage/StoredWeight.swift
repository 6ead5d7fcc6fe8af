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

  /// Gives back the pages of a weight that is used where it lies and not needed for a while.
  package func release() {
    file.mapping?.release(tensor.range)
    file.reader.dropCache(tensor.range)
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
