/// The two 8-bit floating-point formats of model files (Micikevicius et al. 2022).
///
///     E5M2    s eeeee mm   Float16 with the last 8 bits of its significand cut off
///     E4M3FN  s eeee mmm   bias 7; 2^−9 … 448, no infinity, NaN where all seven bits are set
///
/// Every value of both is a value of Float16, so reading them as that loses nothing and takes half of Float's room.
enum Float8 {
  /// The Float16 pattern of each of the 256 codes; nil for elements of other formats.
  static func halves(of element: StoredElement) -> [UInt16]? {
    switch element {
    case .f8e5m2: e5m2
    case .f8e4m3: e4m3
    default: nil
    }
  }

  private static let e5m2 = (0...255).map { UInt16($0) << 8 }

  /// Moved to Float16's place, the exponent counts from 15 instead of 7: the value is 2^8 times too small.
  private static let e4m3 = (0...255).map { (code: UInt16) -> UInt16 in
    let sign = (code & 0x80) << 8
    let magnitude = code & 0x7F
    return sign | (magnitude == 0x7F ? 0x7E00 : (Float16(bitPattern: magnitude << 7) * 256).bitPattern)
  }

  /// Turns codes into Float16, in place: they lie at the end of `buffer`, their values fill it.
  static func expand(_ halves: [UInt16], in buffer: UnsafeMutableRawBufferPointer) {
    let count = buffer.count / 2
    halves.withUnsafeBufferPointer { halves in
      for i in 0..<count {  // value i ends at or before code i
        let half = halves[Int(buffer[count + i])]
        buffer.storeBytes(of: half.littleEndian, toByteOffset: 2 * i, as: UInt16.self)
      }
    }
  }
}
