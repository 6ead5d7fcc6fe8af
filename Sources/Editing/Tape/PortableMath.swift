/// Functions made of IEEE additions, multiplications, divisions and square roots alone, so that they
/// give the same bits on every machine. (A mathematical library's `log` does not.)
package enum PortableMath {
  /// Natural logarithm of a positive normal number, within 2 units in the last place.
  ///
  /// x = 2ᵉ·m with √½ ≤ m < √2;  ln m = 2·artanh(f),  f = (m − 1)/(m + 1),  |f| ≤ 0.172, as a power series.
  package static func log(_ x: Double) -> Double {
    precondition(x.isNormal && x > 0, "log(\(x))")
    var (m, e) = (x.significand, Double(x.exponent))
    if m > 1.4142135623730951 { (m, e) = (m / 2, e + 1) }
    let f = (m - 1) / (m + 1)
    let f2 = f * f
    var tail = 0.0  // f²/3 + f⁴/5 + … ; the first term left out is below 0.03¹²/25
    for n in stride(from: 23.0, through: 3.0, by: -2.0) { tail = (tail + 1 / n) * f2 }
    // ln 2 in two parts, the first of 45 bits: its product with an exponent below 2⁸ is exact.
    return e * 0x1.62e42fefa38p-1 + (2 * f + (2 * f * tail + e * 0x1.ef35793c7673p-45))
  }

  /// The z with Φ(z) = p, 0 < p < 1: algorithm AS 241, routine PPND16 (Wichura 1988), relative error 1e-16.
  package static func inverseNormalCDF(_ p: Double) -> Double {
    precondition(p > 0 && p < 1, "probability \(p)")
    let q = p - 0.5
    if q.magnitude <= 0.425 {
      let r = 0.180625 - q * q
      return q * horner(r, Self.centreOver) / horner(r, Self.centreUnder)
    }
    let r = (-log(q < 0 ? p : 1 - p)).squareRoot()
    let z =
      r <= 5
      ? horner(r - 1.6, Self.middleOver) / horner(r - 1.6, Self.middleUnder)
      : horner(r - 5, Self.tailOver) / horner(r - 5, Self.tailUnder)
    return q < 0 ? -z : z
  }

  /// cos(π·x), |x| ≤ 2⁵², within 2⁻⁵⁰.
  package static func cosine(halfTurns x: Double) -> Double {
    let turns = x.rounded()
    let a = Double.pi * (x - turns)  // −π/2…π/2; the first term left out is below (π/2)²⁶/26!
    var sum = 0.0
    for k in stride(from: 24.0, through: 2.0, by: -2.0) { sum = -(1 + sum) * a * a / (k * (k - 1)) }
    return turns.truncatingRemainder(dividingBy: 2) == 0 ? 1 + sum : -(1 + sum)
  }

  /// eˣ for −700 ≤ x ≤ 700, within 2 units in the last place.
  ///
  /// x = n·ln 2 + r with |r| ≤ ln 2/2;  eʳ as a power series, the first term left out below 0.35¹⁶/16!.
  package static func exponential(_ x: Double) -> Double {
    precondition(x.magnitude <= 700, "exponential(\(x))")
    let n = (x / 0.6931471805599453).rounded()
    // ln 2 in two parts as above; the product with the first is exact up to 2⁸ and n is below 2¹⁰.
    let r = (x - n * 0x1.62e42fefa38p-1) - n * 0x1.ef35793c7673p-45
    var sum = 0.0
    for k in stride(from: 15.0, through: 1.0, by: -1.0) { sum = (1 + sum) * r / k }
    return Double(sign: .plus, exponent: Int(n), significand: 1 + sum)
  }

  /// c₀ + c₁·x + c₂·x² + …
  private static func horner(_ x: Double, _ c: [Double]) -> Double {
    var sum = 0.0
    for k in c.reversed() { sum = sum * x + k }
    return sum
  }

  private static let centreOver = [
    3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
    4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3,
  ]
  private static let centreUnder = [
    1, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3, 2.1213794301586595867e+4,
    3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3,
  ]
  private static let middleOver = [
    1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
  ]
  private static let middleUnder = [
    1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
    1.05075007164441684324e-9,
  ]
  private static let tailOver = [
    6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5,
    2.01033439929228813265e-7,
  ]
  private static let tailUnder = [
    1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
    7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
    2.04426310338993978564e-15,
  ]
}
