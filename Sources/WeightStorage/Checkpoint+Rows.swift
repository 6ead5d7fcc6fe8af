import Files

extension Checkpoint {
  /// Reads rows of a tensor, as `element(of:)`, to the start of `window`.
  ///
  /// - Returns: the part of the window that was filled.
  package func read(
    _ rows: Range<Int>, of name: String, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) -> UnsafeRawBufferPointer {
    let (file, tensor) = try place(of: name)
    return try file.fill(window, with: rows, of: tensor)
  }

  /// Rows of a tensor, as `element(of:)`, in the caller's window for the duration of `body`.
  package func withRows<R>(
    of name: String, rows: Range<Int>, window: UnsafeMutableRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws -> R
  ) throws -> R {
    try body(read(rows, of: name, into: window))
  }

  /// Asks the system to start reading a tensor that is needed soon. Does not wait for the bytes.
  package func prefetch(_ name: String) throws(WeightFileError) {
    let (file, tensor) = try place(of: name)
    file.reader.prefetch(tensor.range)
  }

  /// Gives the cached pages of a tensor back to the system.
  package func dropCache(of name: String) throws(WeightFileError) {
    let (file, tensor) = try place(of: name)
    file.reader.dropCache(tensor.range)
  }

  /// Whether some rows seem to be in the page cache.
  package func isCached(_ name: String, rows: Range<Int>) throws(WeightFileError) -> Bool {
    let (file, tensor) = try place(of: name)
    return file.reader.isCached(tensor.bytes(of: rows))
  }

  /// Gives the cached pages of some rows back to the system.
  package func dropCache(of name: String, rows: Range<Int>) throws(WeightFileError) {
    let (file, tensor) = try place(of: name)
    file.reader.dropCache(tensor.bytes(of: rows))
  }
}

/// Weights of a container, which are used where the file is mapped.
extension Checkpoint {
  /// Where a weight lies in the layout of the kernels; nil if it has to be read and packed. Valid as long as the
  /// checkpoint.
  package func address(of name: String) throws(WeightFileError) -> UnsafeMutableRawPointer? {
    let (file, tensor) = try place(of: name)
    return file.mapping?.address(tensor.range.lowerBound)
  }

  /// Gives back the pages of a mapped weight that is not needed for a while.
  package func release(_ name: String) throws(WeightFileError) {
    let (file, tensor) = try place(of: name)
    file.mapping?.release(tensor.range)
    file.reader.dropCache(tensor.range)
  }

  /// - Throws: `truncated`, `changed` if weights have been cut off or written over since their file was opened; what
  ///   was computed with them is void.
  package func checkUnchanged() throws(WeightFileError) {
    for file in files { try file.checkUnchanged() }
  }
}
