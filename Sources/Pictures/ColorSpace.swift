import Platform

/// What a red, green and blue sample means, as ICC's matrix profiles say it: a curve for each channel, then a matrix.
///
///     sample/top ── curve ──► linear ── matrix ──► XYZ under D50
public struct ColorSpace: Sendable, Equatable {
  /// Sample to linear light, both 0…1.
  public enum Curve: Sendable, Equatable {
    case power(Double)
    /// (a·x + b)^g + e from d on, c·x + f below: ICC.1:2022, 10.18, function 4.
    case parametric(g: Double, a: Double, b: Double, c: Double, d: Double, e: Double, f: Double)
    /// At even distances, in 65 535ths.
    case table([UInt16])

    public static let sRGB = Curve.parametric(
      g: 2.4, a: 1 / 1.055, b: 0.055 / 1.055, c: 1 / 12.92, d: 0.04045, e: 0, f: 0)

    public func linear(_ x: Double) -> Double {
      let y: Double
      switch self {
      case .power(let g): y = pow(max(x, 0), g)
      case .parametric(let g, let a, let b, let c, let d, let e, let f):
        y = x >= d ? pow(max(a * x + b, 0), g) + e : c * x + f
      case .table(let values):
        let place = min(max(x, 0), 1) * Double(values.count - 1)
        let i = min(Int(place), values.count - 2)
        let part = place - Double(i)
        y = (Double(values[i]) * (1 - part) + Double(values[i + 1]) * part) / 65_535
      }
      return min(max(y, 0), 1)
    }

    /// The sample that means so much light, by halving: curves rise.
    func sample(_ linear: Double) -> Double {
      if case .power(let g) = self { return pow(linear, 1 / g) }
      var (low, high) = (0.0, 1.0)
      for _ in 0..<40 {
        let middle = (low + high) / 2
        if self.linear(middle) < linear { low = middle } else { high = middle }
      }
      return (low + high) / 2
    }

    /// Whether it rises from black to white, so that there is a way back.
    public var rises: Bool {
      var last = linear(0)
      guard last < 0.05, linear(1) > 0.95 else { return false }
      for i in 1...256 {
        let next = linear(Double(i) / 256)
        guard next.isFinite, next >= last else { return false }
        last = next
      }
      return true
    }
  }

  /// Of red, green, blue.
  public var curves: [Curve]
  /// Rows X, Y, Z; columns red, green, blue.
  public var toXYZ: Matrix3

  /// - Parameter curves: three.
  public init(curves: [Curve], toXYZ: Matrix3) {
    precondition(curves.count == 3)
    (self.curves, self.toXYZ) = (curves, toXYZ)
  }

  /// IEC 61966-2-1, adapted to D50 (Bradford).
  public static let sRGB = ColorSpace(
    curves: [.sRGB, .sRGB, .sRGB],
    toXYZ: Matrix3([
      0.4360747, 0.3850649, 0.1430804, 0.2225045, 0.7168786, 0.0606169, 0.0139322, 0.0971045, 0.7141733,
    ]))

  /// Nothing that eight bits would show sets it apart from sRGB: no colour of a coarse grid moves by a level.
  public var isStandard: Bool {
    guard let matrix = Self.sRGB.toXYZ.inverse.map({ $0 * toXYZ }) else { return false }
    let steps = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]
    for r in steps {
      for g in steps {
        for b in steps {
          let light = matrix * [curves[0].linear(r), curves[1].linear(g), curves[2].linear(b)]
          for (value, sample) in zip(light, [r, g, b]) {
            let seen = Curve.sRGB.sample(min(max(value, 0), 1))
            if abs(seen - sample) > 1.0 / 255 { return false }
          }
        }
      }
    }
    return true
  }

  /// Whether colours have a way there and back.
  public var isReversible: Bool { curves.allSatisfy(\.rises) && toXYZ.inverse != nil }
}

/// Three rows of three.
public struct Matrix3: Sendable, Equatable {
  public var values: [Double]

  public init(_ values: [Double]) {
    precondition(values.count == 9)
    self.values = values
  }

  static func * (a: Matrix3, x: [Double]) -> [Double] {
    (0..<3).map { row in
      let products = (0..<3).map { a.values[3 * row + $0] * x[$0] }
      return products[0] + products[1] + products[2]
    }
  }

  static func * (a: Matrix3, b: Matrix3) -> Matrix3 {
    let columns = (0..<3).map { c in a * [b.values[c], b.values[3 + c], b.values[6 + c]] }
    return Matrix3((0..<9).map { columns[$0 % 3][$0 / 3] })
  }

  /// Nil where there is none worth the name.
  public var inverse: Matrix3? {
    let m = values
    func minor(_ a: Int, _ b: Int, _ c: Int, _ d: Int) -> Double { m[a] * m[d] - m[b] * m[c] }
    let adjugate = [
      minor(4, 5, 7, 8), -minor(1, 2, 7, 8), minor(1, 2, 4, 5),
      -minor(3, 5, 6, 8), minor(0, 2, 6, 8), -minor(0, 2, 3, 5),
      minor(3, 4, 6, 7), -minor(0, 1, 6, 7), minor(0, 1, 3, 4),
    ]
    let determinant = m[0] * adjugate[0] + m[1] * adjugate[3] + m[2] * adjugate[6]
    guard determinant.isFinite, abs(determinant) > 1e-4 else { return nil }
    return Matrix3(adjugate.map { $0 / determinant })
  }
}

extension ColorSpace {
  /// From the chromaticities x, y of white, red, green and blue, white brought to D50 by Bradford's cones.
  public init?(curve: Curve, white: (Double, Double), primaries: [(Double, Double)]) {
    func light(_ c: (Double, Double)) -> [Double]? {
      guard c.1 > 1e-3 else { return nil }
      return [c.0 / c.1, 1, (1 - c.0 - c.1) / c.1]
    }
    guard primaries.count == 3, let w = light(white) else { return nil }
    let columns = primaries.compactMap(light)
    guard columns.count == 3 else { return nil }
    let unscaled = Matrix3((0..<9).map { columns[$0 % 3][$0 / 3] })
    guard let scales = unscaled.inverse.map({ $0 * w }) else { return nil }
    let scaled = Matrix3((0..<9).map { unscaled.values[$0] * scales[$0 % 3] })
    let cones = Matrix3([0.8951, 0.2664, -0.1614, -0.7502, 1.7135, 0.0367, 0.0389, -0.0685, 1.0296])
    let (from, to) = (cones * w, cones * [0.9642, 1, 0.8249])
    guard from.allSatisfy({ $0 > 1e-3 }) else { return nil }
    let gains = Matrix3([to[0] / from[0], 0, 0, 0, to[1] / from[1], 0, 0, 0, to[2] / from[2]])
    self.init(curves: [curve, curve, curve], toXYZ: cones.inverse! * (gains * (cones * scaled)))
  }
}
