/// Blocks of quantized weights as Float32, the way ggml's reference functions compute them (`dequantize_row_*`): the
/// same products and sums in Float32, so results are equal bit for bit.
extension StoredElement {
  /// Elements of whole blocks of a format that has blocks.
  ///
  /// - Parameters:
  ///   - blocks: `blockBytes` for each block.
  ///   - out: `blockLength` elements for each block, all overwritten.
  func dequantize(_ blocks: UnsafeRawBufferPointer, into out: UnsafeMutableBufferPointer<Float>) {
    let count = blocks.count / blockBytes
    precondition(blocks.count == count * blockBytes && out.count == count * blockLength)
    for i in 0..<count {
      let block = Block(
        bytes: UnsafeRawBufferPointer(rebasing: blocks[i * blockBytes..<(i + 1) * blockBytes]))
      let part = UnsafeMutableBufferPointer(rebasing: out[i * blockLength..<(i + 1) * blockLength])
      switch self {
      case .q8_0: for j in 0..<32 { part[j] = Float(block.signed(2 + j)) * block.half(0) }
      case .q4_0, .q4_1, .q5_0, .q5_1: block.fill(part, as: self)
      case .q4K, .q5K: block.fillWithMinima(part, hasFifthBits: self == .q5K)
      case .q6K: block.fillSixBits(part)
      default: preconditionFailure("\(rawValue) is no block")
      }
    }
  }
}

/// The bytes of one block. Multi-byte values are little endian and of any alignment.
private struct Block {
  let bytes: UnsafeRawBufferPointer

  func word(_ offset: Int) -> UInt16 {
    bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self).littleEndian
  }
  func half(_ offset: Int) -> Float { Float(Float16(bitPattern: word(offset))) }
  func signed(_ offset: Int) -> Int8 { Int8(bitPattern: bytes[offset]) }

  /// 32 elements of 4 or 5 bits: low halves of 16 bytes first, then high halves. Scale; minimum or none (then the
  /// values are centred on zero); 32 fifth bits or none.
  func fill(_ out: UnsafeMutableBufferPointer<Float>, as element: StoredElement) {
    let hasMinimum = element == .q4_1 || element == .q5_1
    let hasFifthBits = element == .q5_0 || element == .q5_1
    let (scale, minimum) = (half(0), hasMinimum ? half(2) : 0)
    let start = hasMinimum ? 4 : 2
    let fifth = hasFifthBits ? bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self).littleEndian : 0
    let centre: Int32 = hasMinimum ? 0 : hasFifthBits ? 16 : 8
    for j in 0..<16 {
      let byte = bytes[start + (hasFifthBits ? 4 : 0) + j]
      let low = Int32(byte & 15) | Int32(fifth >> j & 1) << 4
      let high = Int32(byte >> 4) | Int32(fifth >> (j + 16) & 1) << 4
      out[j] = Float(low - centre) * scale
      out[j + 16] = Float(high - centre) * scale
      // Not where there is none: −0 + 0 would be 0.
      if hasMinimum {
        out[j] += minimum
        out[j + 16] += minimum
      }
    }
  }

  /// 8 groups of 32 elements of 4 or 5 bits, each with a scale and a minimum of 6 bits. Super-scales, 12 bytes of
  /// packed group scales, 32 bytes of fifth bits or none (bit g of byte l: element l of group g), then per pair of
  /// groups 32 bytes whose low halves are the first group.
  func fillWithMinima(_ out: UnsafeMutableBufferPointer<Float>, hasFifthBits: Bool) {
    let (scale, minimum) = (half(0), half(2))
    let values = 16 + (hasFifthBits ? 32 : 0)
    for group in 0..<8 {
      let (s, m) = groupScales(group)
      let (groupScale, groupMinimum) = (scale * Float(s), minimum * Float(m))
      for l in 0..<32 {
        let byte = bytes[values + group / 2 * 32 + l]
        var value = group % 2 == 0 ? byte & 15 : byte >> 4
        if hasFifthBits { value |= (bytes[16 + l] >> group & 1) << 4 }
        out[group * 32 + l] = groupScale * Float(value) - groupMinimum
      }
    }
  }

  /// Scale and minimum of a group, unpacked: groups 0 to 3 have 6 bits in a byte, the upper two bits of which hold
  /// parts of groups 4 to 7.
  private func groupScales(_ group: Int) -> (scale: UInt8, minimum: UInt8) {
    let packed = 4
    if group < 4 { return (bytes[packed + group] & 63, bytes[packed + group + 4] & 63) }
    let both = bytes[packed + group + 4]
    let (scaleTop, minimumTop) = (bytes[packed + group - 4] >> 6, bytes[packed + group] >> 6)
    return (both & 15 | scaleTop << 4, both >> 4 | minimumTop << 4)
  }

  /// 16 groups of 16 elements of 6 bits centred on zero, each with a signed scale. 128 bytes of low halves, 64 bytes
  /// of upper pairs of bits, 16 scales, super-scale.
  func fillSixBits(_ out: UnsafeMutableBufferPointer<Float>) {
    let scale = half(208)
    for i in 0..<256 {
      let (part, quarter, l) = (i / 128, i / 32 % 4, i % 32)
      let low = bytes[part * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15
      let high = bytes[128 + part * 32 + l] >> (quarter * 2) & 3
      let value = Int32(low | high << 4) - 32
      out[i] = scale * Float(signed(192 + i / 16)) * Float(value)
    }
  }
}
