import Files
import Tensors

/// Reading weights in the element type that networks read them in.
extension TensorFile {
  /// Fills `window` with rows of a tensor as `element.weight`.
  func read(
    _ rows: Range<Int>, of tensor: TensorEntry, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) {
    guard tensor.isTransposed else {
      return try readElements(tensor.elements(of: rows), of: tensor, into: window)
    }
    // The file has K rows of N, of which the columns `rows` are wanted: a pass over all of it, in small pieces.
    let (n, k) = (tensor.shape[0], tensor.shape[1])
    guard !rows.isEmpty, k > 0 else { return }
    let bytes = window.count / (rows.count * k)  // of one element
    let block = max((64 << 10) / (n * bytes), 1)
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: block * n * bytes, alignment: 16)
    defer { piece.deallocate() }
    for start in stride(from: 0, to: k, by: block) {
      let end = min(start + block, k)
      try readElements(
        start * n..<end * n, of: tensor, into: .init(rebasing: piece[..<((end - start) * n * bytes)]))
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
    var bytes = [UInt8](repeating: 0, count: tensor.count * (tensor.weight?.byteCount ?? 0))
    var failure: WeightFileError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(WeightFileError) { try read(0..<tensor.rows, of: tensor, into: buffer) } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer, from offset: Int) throws(WeightFileError) {
    try WeightFileError.ofFile { () throws(FileError) in try reader.read(into: buffer, at: offset) }
  }

  /// Elements in the order of the file.
  private func readElements(
    _ elements: Range<Int>, of tensor: TensorEntry, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) {
    if tensor.element.isBlock { return try readBlocks(elements, of: tensor, into: window) }
    if tensor.element == .f64 || tensor.scale != nil {
      return try convert(elements, of: tensor, into: window)
    }
    let range = tensor.bytes(ofElements: elements)
    guard let halves = Float8.halves(of: tensor.element) else {
      return try fill(window, from: range.lowerBound)
    }
    let codes = UnsafeMutableRawBufferPointer(rebasing: window[range.count...])
    try fill(codes, from: range.lowerBound)
    Float8.expand(halves, in: window)
  }

  /// Numbers of 64 bits, and eight-bit ones with a scale, as Float32, a few at a time.
  private func convert(
    _ elements: Range<Int>, of tensor: TensorEntry, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) {
    let (size, scale) = (tensor.element.byteCount, tensor.scale ?? 1)
    let halves = Float8.halves(of: tensor.element)
    for start in stride(from: elements.lowerBound, to: elements.upperBound, by: 4096) {
      let part = start..<min(start + 4096, elements.upperBound)
      let bytes = try WeightFileError.ofFile { () throws(FileError) in
        try reader.bytes(tensor.bytes(ofElements: part))
      }
      bytes.withUnsafeBytes { bytes in
        for i in 0..<part.count {
          let value =
            if let halves {
              scale * Float(Float16(bitPattern: halves[Int(bytes[i])]))
            } else {
              Float(
                Double(
                  bitPattern: UInt64(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: i * size, as: UInt64.self))))
            }
          window.storeBytes(
            of: value.bitPattern.littleEndian, toByteOffset: (part.lowerBound - elements.lowerBound + i) * 4,
            as: UInt32.self)
        }
      }
    }
  }

  /// Elements of blocks as Float32, a few blocks at a time. Where a row is no whole number of blocks (a convolution
  /// that was stored flat), it begins or ends inside one.
  private func readBlocks(
    _ elements: Range<Int>, of tensor: TensorEntry, into window: UnsafeMutableRawBufferPointer
  ) throws(WeightFileError) {
    let (length, bytes) = (tensor.element.blockLength, tensor.element.blockBytes)
    let most = (32 << 10) / bytes
    let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: most * bytes, alignment: 16)
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: most * length)
    defer {
      stored.deallocate()
      values.deallocate()
    }
    var position = elements.lowerBound
    while position < elements.upperBound {
      let first = position / length
      let count = min(most, (elements.upperBound + length - 1) / length - first)
      let blocks = UnsafeMutableRawBufferPointer(rebasing: stored[..<(count * bytes)])
      try fill(blocks, from: tensor.range.lowerBound + first * bytes)
      tensor.element.dequantize(.init(blocks), into: .init(rebasing: values[..<(count * length)]))
      let end = min((first + count) * length, elements.upperBound)
      let wanted = UnsafeRawBufferPointer(
        UnsafeMutableBufferPointer(rebasing: values[position - first * length..<end - first * length]))
      let place = (position - elements.lowerBound) * MemoryLayout<Float>.size
      UnsafeMutableRawBufferPointer(rebasing: window[place..<place + wanted.count]).copyMemory(from: wanted)
      position = end
    }
  }
}
