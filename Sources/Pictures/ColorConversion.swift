import Platform

/// Samples of one colour space as those of another, one of the two being sRGB of eight bits.
///
/// Everything goes through tables of Float32 that are made once, so that a machine's own powers are met in a few thousand
/// values only, and through one matrix. Colours that the other side does not have are cut off channel by channel.
final class ColorConversion: Sendable {
  /// Sample → light, for each channel: every value of 8 bits, or `steps + 1` places of 16.
  private let linear: [[Float]]
  private let matrix: [Float]
  /// √light → sample/top, at `steps + 1` places: roots make the steep start of every curve flat.
  private let encoded: [[Float]]
  private let isDeepBefore: Bool
  private let top: Float

  private static let steps = 4096
  /// What the tables hold.
  static let bytes = 6 * 4 * (steps + 1) + 1024

  /// From a photo's samples to sRGB of eight bits.
  convenience init(toStandard space: ColorSpace, isDeep: Bool) {
    self.init(from: space, isDeep: isDeep, to: .sRGB, isDeep: false)
  }

  /// From sRGB of eight bits to a photo's samples.
  convenience init(fromStandard space: ColorSpace, isDeep: Bool) {
    self.init(from: .sRGB, isDeep: false, to: space, isDeep: isDeep)
  }

  private init(from: ColorSpace, isDeep before: Bool, to: ColorSpace, isDeep after: Bool) {
    let count = before ? Self.steps : 255
    func tables(_ curves: [ColorSpace.Curve], _ value: (ColorSpace.Curve, Double) -> Double, _ count: Int)
      -> [[Float]]
    {
      if curves.allSatisfy({ $0 == curves[0] }) {
        let one = (0...count).map { Float(value(curves[0], Double($0) / Double(count))) }
        return [one, one, one]
      }
      return curves.map { curve in (0...count).map { Float(value(curve, Double($0) / Double(count))) } }
    }
    linear = tables(from.curves, { $0.linear($1) }, count)
    encoded = tables(to.curves, { $0.sample($1 * $1) }, Self.steps)
    // Spaces that cannot be inverted are not made into conversions.
    matrix = (to.toXYZ.inverse! * from.toXYZ).values.map { Float($0) }
    isDeepBefore = before
    top = after ? 65_535 : 255
  }

  func convert(_ pixel: inout (Int, Int, Int)) {
    let (r, g, b) = (light(pixel.0, 0), light(pixel.1, 1), light(pixel.2, 2))
    pixel.0 = sample(matrix[0] * r + matrix[1] * g + matrix[2] * b, 0)
    pixel.1 = sample(matrix[3] * r + matrix[4] * g + matrix[5] * b, 1)
    pixel.2 = sample(matrix[6] * r + matrix[7] * g + matrix[8] * b, 2)
  }

  private func light(_ value: Int, _ channel: Int) -> Float {
    guard isDeepBefore else { return linear[channel][value] }
    return Self.between(linear[channel], Float(value) * (Float(Self.steps) / 65_535))
  }

  private func sample(_ light: Float, _ channel: Int) -> Int {
    let place = min(max(light, 0), 1).squareRoot() * Float(Self.steps)
    return Int((Self.between(encoded[channel], place) * top).rounded())
  }

  private static func between(_ table: [Float], _ place: Float) -> Float {
    let i = min(Int(place), steps - 1)
    let part = place - Float(i)
    return table[i] * (1 - part) + table[i + 1] * part
  }
}
