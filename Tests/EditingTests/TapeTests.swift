import Editing
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("Philox") struct PhiloxTests {
  @Test("gives the known answers of its authors")
  func knownAnswers() {
    #expect(
      Philox.block(SIMD4(repeating: 0), key: SIMD2(repeating: 0))
        == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    #expect(
      Philox.block(SIMD4(repeating: .max), key: SIMD2(repeating: .max))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox.block(
        SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: SIMD2(0xa409_3822, 0x299f_31d0))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }
}

@Suite("Portable math") struct PortableMathTests {
  @Test("the cosine of half turns agrees with the library's") func cosine() {
    for i in -400...400 {
      let x = Double(i) / 97
      // The library's argument π·x is rounded, by |x|·2⁻⁵¹ at most; the series is within 2⁻⁵⁰.
      #expect(abs(PortableMath.cosine(halfTurns: x) - cos(Double.pi * x)) <= (abs(x) + 1) * 0x1p-50)
    }
    #expect(PortableMath.cosine(halfTurns: 0) == 1 && PortableMath.cosine(halfTurns: 1) == -1)
  }

  @Test("the exponential agrees with the library's to 2 units in the last place")
  func exponential() {
    for i in -700...700 {
      let x = Double(i) * 0.987654321
      #expect(abs(PortableMath.exponential(x) - exp(x)) <= 2 * exp(x).ulp)
    }
    #expect(PortableMath.exponential(0) == 1)
  }

  @Test("the logarithm agrees with the library's to 2 units in the last place")
  func logarithm() {
    var x = 0x1p-60
    while x < 0x1p60 {
      let (mine, library) = (PortableMath.log(x), log(x))
      #expect(abs(mine - library) <= 2 * max(library.ulp, 0x1p-1074), "log \(x)")
      x *= 1.0137
    }
    #expect(PortableMath.log(1) == 0)
  }

  @Test("the inverse of the normal distribution undoes it")
  func inverse() {
    for z in stride(from: -8.0, through: 8, by: 0.03125) {
      let p = 0.5 * erfc(-z / 2.0.squareRoot())
      guard p < 1 else { continue }
      // p is known to half an ulp, which the slope 1/φ(z) turns into an error of z, next to AS 241's 1e-16.
      let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
      #expect(abs(PortableMath.inverseNormalCDF(p) - z) <= 4 * p.ulp / density + 1e-15 * abs(z), "z = \(z)")
    }
  }

  @Test("known quantiles")
  func quantiles() {
    #expect(PortableMath.inverseNormalCDF(0.5) == 0)
    #expect(abs(PortableMath.inverseNormalCDF(0.975) - 1.959963984540054) < 1e-15)
    #expect(abs(PortableMath.inverseNormalCDF(1e-10) + 6.361340902404056) < 2e-15)
  }
}

@Suite("Seeded tape") struct SeededTapeTests {
  let tape = SeededTape(seed: 1)

  /// The bits of an independent implementation (integer Philox, another AS 241).
  @Test("its values never change")
  func pinned() {
    let values = tape.normal(0, count: 1, height: 1, width: 4, channels: 1)[0].values
    #expect(values.map(\.bitPattern) == [0x3fa0_3c14, 0x3f0e_9da7, 0x3f92_b1a2, 0x3ecd_bf6b])
    let late = SeededTape(seed: 0xfedc_ba98_7654_3210).normal(
      41, count: 1, height: 64, width: 64, channels: 4)[0]
    #expect([late[63, 63, 3], late[17, 5, 2]].map(\.bitPattern) == [0xbf5f_d819, 0x3ed2_4f81])
    #expect((0..<4).map { tape.integer($0, in: 50...948) } == [283, 647, 531, 849])
  }

  /// Of every bit, where `pinned` looks at six values; from the same formulas in another language.
  @Test("has the same digest on every machine")
  func digest() {
    let latents = SeededTape(seed: 7).normal(7, count: 2, height: 64, width: 64, channels: 4)
    let bits = Latent.stacked(latents).values.map { UInt64($0.bitPattern) }
    #expect(fnv1a(bits) == 0xd00f_a2a4_a315_892d)
    // No tape of this size meets the tail beyond 6.6 standard deviations.
    let tail = (1...1000).map {
      PortableMath.inverseNormalCDF(Double(sign: .plus, exponent: -$0, significand: 1))
    }
    #expect(fnv1a(tail.map(\.bitPattern)) == 0x828e_1be9_ed9d_26e7)
  }

  @Test("an element depends on its index in the tensor only")
  func pure() {
    let all = tape.normal(3, count: 3, height: 5, width: 7, channels: 4)
    let flat = Latent.stacked(all).values
    let again = tape.normal(3, count: 1, height: 1, width: flat.count, channels: 1)[0].values
    #expect(flat == again)
    #expect(tape.normal(4, count: 1, height: 5, width: 7, channels: 4)[0] != all[0])
  }

  @Test("is standard normal in mean, variance, kurtosis and by Kolmogorov and Smirnov")
  func distribution() {
    let count = 1 << 18
    let values = tape.normal(0, count: 1, height: 256, width: 256, channels: 4)[0].values.map(Double.init)
    let m = Moments(values)
    // Five standard errors: 1/√n, √(2/n), √(24/n).
    let n = Double(count)
    #expect(abs(m.mean) < 5 / n.squareRoot())
    #expect(abs(m.variance - 1) < 5 * (2 / n).squareRoot())
    #expect(abs(m.kurtosis - 3) < 5 * (24 / n).squareRoot())
    var worst = 0.0
    for (i, z) in values.sorted().enumerated() {
      let p = 0.5 * erfc(-z / 2.0.squareRoot())
      worst = max(worst, abs(p - Double(i) / n), abs(Double(i + 1) / n - p))
    }
    #expect(worst * n.squareRoot() < 1.95)  // the 0.1 % point of the statistic
  }

  @Test("neighbouring draws and seeds are uncorrelated")
  func correlation() throws {
    func correlation(_ a: Latent, _ b: Latent) -> Double {
      zip(a.values, b.values).reduce(0) { $0 + Double($1.0) * Double($1.1) } / Double(a.values.count)
    }
    let a = tape.normal(0, count: 1, height: 64, width: 64, channels: 4)[0]
    let bound = 5 / Double(a.values.count).squareRoot()  // five standard errors
    #expect(try abs(correlation(a, tape.normal(1, like: a))) < bound)
    #expect(try abs(correlation(a, SeededTape(seed: 2).normal(0, like: a))) < bound)
  }

  @Test("integers fill their range evenly and stay in it")
  func integers() {
    let draws = (0..<9000).map { tape.integer($0, in: 50...948) }
    #expect(draws.allSatisfy { (50...948).contains($0) })
    let m = Moments(draws.map(Double.init))
    #expect(abs(m.mean - 499) < 5 * 259.5 / 9000.0.squareRoot())  // uniform: σ = √((899² − 1)/12)
    #expect(Set((0..<100).map { tape.integer($0, in: 3...5) }) == [3, 4, 5])
    #expect(tape.integer(0, in: 7...7) == 7)
  }
}

/// The hash of Fowler, Noll and Vo, a word at a time.
private func fnv1a(_ words: [UInt64]) -> UInt64 {
  words.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ $1) &* 0x100_0000_01b3 }
}

@Suite("Recorded tape") struct RecordedTapeTests {
  let tensor = Latent.stacked([latent(1), latent(2)])

  @Test("gives back what was recorded, in order and from a later start")
  func replay() throws {
    let tape = RecordedTape([.normal(tensor), .integer(60)])
    #expect(try tape.normal(0, count: 2, height: 7, width: 11, channels: 4) == [latent(1), latent(2)])
    #expect(try tape.dropFirst(1).integer(0, in: 50...948) == 60)
    #expect(tape.unused == [])
  }

  @Test("knows which draws nobody asked for")
  func unused() throws {
    let tape = RecordedTape([.integer(1), .integer(2), .integer(3)])
    _ = try tape.integer(1, in: 0...9)
    #expect(tape.unused == [0, 2])
  }

  @Test("refuses another type, shape, value or length")
  func refusals() {
    let tape = RecordedTape([.normal(tensor), .integer(60)])
    #expect(throws: EditError.tapeType(draw: 0, expected: "an integer", found: "a tensor")) {
      try tape.integer(0, in: 0...9)
    }
    #expect(throws: EditError.tapeType(draw: 1, expected: "a tensor", found: "an integer")) {
      try tape.normal(1, like: latent(1))
    }
    #expect(throws: EditError.tapeShape(draw: 0, expected: [1, 4, 7, 11], found: [2, 4, 7, 11])) {
      try tape.normal(0, like: latent(1))
    }
    #expect(throws: EditError.tapeInteger(draw: 1, value: 60, range: 0...9)) {
      try tape.integer(1, in: 0...9)
    }
    #expect(throws: EditError.tapeEnded(draw: 2, count: 2)) { try tape.integer(2, in: 0...9) }
  }
}
