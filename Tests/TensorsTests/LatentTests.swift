import Tensors
import Testing

@Suite("Latent") struct LatentTests {
  @Test("a combination is computed in Double and rounded once")
  func combination() {
    let a = Latent(height: 1, width: 1, channels: 2, values: [1, 0.1])
    let b = Latent(height: 1, width: 1, channels: 2, values: [0x1p-24, 0.3])
    // In Float 1 + 2⁻²⁴ + 2⁻²⁴ stays 1.
    #expect(Latent.combination([(1, a), (1, b), (1, b)]).values[0] == 1 + 0x1p-23)
    #expect(
      Latent.combination([(2, a), (-3, b)]).values[1]
        == Float(2 * Double(Float(0.1)) - 3 * Double(Float(0.3))))
  }

  @Test("a combination keeps the sign of zero")
  func negativeZero() {
    let a = Latent(height: 1, width: 1, channels: 1, values: [-0.0])
    let sum = Latent.combination([(1, a), (-0.5, Latent(height: 1, width: 1, channels: 1))])
    #expect(sum.values[0].sign == .minus)
  }

  @Test("goes to channels first and back", arguments: [1, 2, 3])
  func stacking(count: Int) {
    let latents = (0..<count).map { n in
      Latent(height: 2, width: 3, channels: 4, values: (0..<24).map { Float($0 + 100 * n) })
    }
    let stack = Latent.stacked(latents)
    #expect(stack.shape == [count, 4, 2, 3])
    #expect(stack.values[1] == latents[0][0, 1, 0])
    #expect(stack.values[6] == latents[0][0, 0, 1])
    #expect(Latent.unstacked(stack) == latents)
  }

  @Test("knows what is not finite")
  func finite() {
    var a = Latent(height: 1, width: 2, channels: 1, values: [1, -3])
    #expect(a.isFinite && a.isWithin(3) && !a.isWithin(2) && a.maxMagnitude == 3)
    a.values[0] = .nan
    #expect(!a.isFinite && !a.isWithin(1e9) && a.maxMagnitude.isNaN)
  }
}

@Suite("Mask") struct MaskTests {
  let inside = Latent(height: 2, width: 2, channels: 1, values: [1, 2, 3, 4])
  let outside = Latent(height: 2, width: 2, channels: 1, values: [-1, -0.0, .infinity, 8])

  @Test("selects bit for bit where it is binary and mixes between")
  func blend() {
    let mask = Mask(height: 2, width: 2, values: [1, 0, 0, 0.25])
    let out = mask.blend(inside: inside, outside: outside).values
    #expect(out == [1, 0, .infinity, 7])
    #expect(out[1].sign == .minus)
  }

  @Test("a product is exactly 0 where the mask is, whatever was there")
  func product() {
    let mask = Mask(height: 2, width: 2, values: [0.5, 0, 0, 1])
    #expect((mask * outside).values == [-0.5, 0, 0, 8])
  }

  @Test("knows values that no mask may have", arguments: [-0.1, 1.1, Float.nan])
  func invalid(value: Float) {
    #expect(!Mask(height: 1, width: 1, repeating: value).isValid)
    #expect(Mask(height: 1, width: 1).isValid)
  }
}
