extension Checkpoint {
  /// Reads rows of a tensor, as stored, to the start of `window`.
  ///
  /// - Returns: the part of the window that was filled.
  package func read(
    _ rows: Range<Int>, of name: String, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) -> UnsafeRawBufferPointer {
    let file = try file(of: name)
    let range = try file.tensor(name).bytes(of: rows)
    precondition(
      range.count <= window.count, "\(range.count) bytes of \(name) for a window of \(window.count)")
    let filled = UnsafeMutableRawBufferPointer(rebasing: window[..<range.count])
    try file.reader.read(into: filled, at: range.lowerBound)
    return UnsafeRawBufferPointer(filled)
  }

  /// Rows of a tensor, as stored, in the caller's window for the duration of `body`.
  package func withRows<R>(
    of name: String, rows: Range<Int>, window: UnsafeMutableRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws -> R
  ) throws -> R {
    try body(read(rows, of: name, into: window))
  }

  /// Asks the system to start reading a tensor that is needed soon. Does not wait for the bytes.
  package func prefetch(_ name: String) throws(WeightFileError) {
    let file = try file(of: name)
    file.reader.prefetch(try file.tensor(name).range)
  }

  /// Gives the cached pages of a tensor back to the system.
  package func dropCache(of name: String) throws(WeightFileError) {
    let file = try file(of: name)
    file.reader.dropCache(try file.tensor(name).range)
  }

  /// Gives the cached pages of some rows back to the system.
  package func dropCache(of name: String, rows: Range<Int>) throws(WeightFileError) {
    let file = try file(of: name)
    file.reader.dropCache(try file.tensor(name).bytes(of: rows))
  }
}

extension TensorEntry {
  /// Where some rows lie in the file.
  fileprivate func bytes(of rows: Range<Int>) -> Range<Int> {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "rows \(rows) of \(name) \(shape)")
    return range.lowerBound + rows.lowerBound * rowBytes..<range.lowerBound + rows.upperBound * rowBytes
  }
}
