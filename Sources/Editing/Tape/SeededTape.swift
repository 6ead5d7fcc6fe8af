import Tensors

/// Draws that are a function of a seed: element j of draw i depends on (seed, i, j) only, and has the same
/// bits on every machine.
///
///     words = Philox4x32-10(counter: (⌊j/2⌋, i, kind, 0), key: seed)         kind: 0 normal, 1 integer
///     u     = (top 52 bits of the j-th half of the words + ½)·2⁻⁵²           0 < u < 1
///     z     = Φ⁻¹(u)
///
/// j counts through a tensor `[n, C, H, W]`; the first half is words 0 (low) and 1 (high).
public struct SeededTape: NoiseTape, Equatable {
  /// Name and version of the generator, for the metadata of a result. It changes when any bit would.
  public static let generator = "philox4x32-10/as241-1"

  public let seed: UInt64
  public init(seed: UInt64) { self.seed = seed }

  public func normal(_ index: Int, count: Int, height: Int, width: Int, channels: Int) -> [Latent] {
    let plane = height * width
    return (0..<count).map { n in
      var latent = Latent(height: height, width: width, channels: channels)
      latent.values.withUnsafeMutableBufferPointer { values in
        var (pair, words) = (-1, SIMD4<UInt32>())
        for c in 0..<channels {
          for p in 0..<plane {
            let j = (n * channels + c) * plane + p
            if j / 2 != pair { (pair, words) = (j / 2, block(j / 2, draw: index, kind: 0)) }
            values[p * channels + c] = Float(PortableMath.inverseNormalCDF(uniform(half(words, j % 2))))
          }
        }
      }
      return latent
    }
  }

  /// ⌊u·size⌋ above the lower bound, with a u of 64 bits.
  public func integer(_ index: Int, in range: ClosedRange<Int>) -> Int {
    let bits = half(block(0, draw: index, kind: 1), 0)
    return range.lowerBound + Int(bits.multipliedFullWidth(by: UInt64(range.count)).high)
  }

  private func block(_ number: Int, draw: Int, kind: UInt32) -> SIMD4<UInt32> {
    Philox.block(
      SIMD4(UInt32(number), UInt32(draw), kind, 0),
      key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
  }

  private func half(_ words: SIMD4<UInt32>, _ which: Int) -> UInt64 {
    UInt64(words[2 * which]) | UInt64(words[2 * which + 1]) << 32
  }

  /// The ½ keeps 0 and 1 out; 53 bits are exact in a Double.
  private func uniform(_ bits: UInt64) -> Double { (Double(bits >> 12) + 0.5) * 0x1p-52 }
}
