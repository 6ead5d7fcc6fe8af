/// A number of 64 bits that says whether rows are the same. It guards against accidents, not against forgers.
struct RowDigest {
  private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

  mutating func add(_ row: UnsafeRawBufferPointer) {
    let words = row.count / 8
    for i in 0..<words { mix(row.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self)) }
    var last: UInt64 = 0
    for byte in row[(8 * words)...] { last = last << 8 | UInt64(byte) }
    mix(last ^ UInt64(row.count) << 56)
  }

  /// One to one in the value for every word, so that a difference stays one.
  private mutating func mix(_ word: UInt64) {
    value = (value ^ word) &* 0xD6E8_FEB8_6659_FD93
    value ^= value >> 32
  }
}
