/// Reading weights in the element type that networks read them in.
extension SafetensorsFile {
  /// Fills `window` with rows of a tensor as `element.weight`.
  func read(
    _ rows: Range<Int>, of tensor: TensorEntry, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) {
    guard tensor.isTransposed else {
      return try readElements(tensor.bytes(of: rows), of: tensor, into: window)
    }
    // The file has K rows of N, of which the columns `rows` are wanted: a pass over all of it, in small pieces.
    let (n, k) = (tensor.shape[0], tensor.shape[1])
    guard !rows.isEmpty, k > 0 else { return }
    let bytes = window.count / (rows.count * k)  // of one element
    let stored = tensor.range.count / k  // of one row of the file
    let block = max((64 << 10) / stored, 1)
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: block * n * bytes, alignment: 16)
    defer { piece.deallocate() }
    for start in stride(from: 0, to: k, by: block) {
      let end = min(start + block, k)
      let range = tensor.range.lowerBound + start * stored..<tensor.range.lowerBound + end * stored
      try readElements(range, of: tensor, into: .init(rebasing: piece[..<((end - start) * n * bytes)]))
      for i in start..<end {
        for (j, row) in rows.enumerated() {
          let (from, to) = (((i - start) * n + row) * bytes, (j * k + i) * bytes)
          for byte in 0..<bytes { window[to + byte] = piece[from + byte] }
        }
      }
    }
  }

  /// A whole tensor.
  func read(_ tensor: TensorEntry) throws(WeightFileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: tensor.count * (tensor.element.weight?.byteCount ?? 0))
    var failure: WeightFileError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(WeightFileError) { try read(0..<tensor.rows, of: tensor, into: buffer) } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Elements in the order of the file.
  private func readElements(
    _ range: Range<Int>, of tensor: TensorEntry, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) {
    guard let halves = Float8.halves(of: tensor.element) else {
      return try reader.read(into: window, at: range.lowerBound)
    }
    let codes = UnsafeMutableRawBufferPointer(rebasing: window[range.count...])
    try reader.read(into: codes, at: range.lowerBound)
    Float8.expand(halves, in: window)
  }
}

extension TensorEntry {
  /// Where some rows lie in the file; all of it where they are not together.
  func bytes(of rows: Range<Int>) -> Range<Int> {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "rows \(rows) of \(name) \(shape)")
    if isTransposed { return range }
    return range.lowerBound + rows.lowerBound * rowBytes..<range.lowerBound + rows.upperBound * rowBytes
  }
}
