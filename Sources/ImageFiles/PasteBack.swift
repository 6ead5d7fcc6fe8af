import Tensors

extension Picture {
  /// Keeps this edit where the mask allows it and puts the original back elsewhere:
  /// round(m·edited + (1 − m)·original), bit for bit the original where m = 0 and the edit where m = 1.
  ///
  /// All three have one size. The networks' round trip alters every pixel a little; this undoes it outside
  /// the mask.
  public mutating func pasteBack(_ original: Picture, outside mask: Mask) {
    precondition(original.width == width && original.height == height)
    precondition(mask.width == width && mask.height == height)
    for (pixel, m) in mask.values.enumerated() where m != 1 {
      for i in 3 * pixel..<3 * pixel + 3 {
        let (new, old) = (Float(pixels[i]), Float(original.pixels[i]))
        pixels[i] = m == 0 ? original.pixels[i] : UInt8((old + m * (new - old)).rounded())
      }
    }
  }
}

extension Mask {
  /// The mask with soft edges, by three box blurs along each axis, close to a Gaussian of σ ≈ radius/3.
  ///
  /// - Parameter radius: pixels. What lies farther than this (along both axes) from any change of the mask
  ///   keeps its value exactly; the same holds everywhere for radius 0.
  public func feathered(radius: Int) -> Mask {
    precondition(radius >= 0)
    // The reaches of the three boxes sum to the radius.
    let reaches = [radius / 3, (radius + 1) / 3, (radius + 2) / 3].filter { $0 > 0 }
    var result = self
    for y in 0..<height { result.blurLine(from: y * width, step: 1, count: width, reaches) }
    for x in 0..<width { result.blurLine(from: x, step: width, count: height, reaches) }
    return result
  }

  /// Blurs one row or column in place. Values pass through integers in units of 2⁻⁴⁰, fine enough for every
  /// value of an 8-bit mask; their running sums are exact, so that flat stretches stay flat.
  private mutating func blurLine(from start: Int, step: Int, count: Int, _ reaches: [Int]) {
    var line = (0..<count).map { Int(values[start + $0 * step] * 0x1p40) }
    // Most lines of most masks have one value.
    guard !line.allSatisfy({ $0 == line[0] }) else { return }
    for reach in reaches { line = boxBlurred(line, reach) }
    for i in 0..<count { values[start + i * step] = Float(line[i]) * 0x1p-40 }
  }
}

/// Means over 2·reach + 1 elements, rounded; the ends of the line are repeated beyond it.
private func boxBlurred(_ line: [Int], _ reach: Int) -> [Int] {
  func element(_ i: Int) -> Int { line[min(max(i, 0), line.count - 1)] }
  let size = 2 * reach + 1
  var sum = (-reach...reach).reduce(0) { $0 + element($1) }
  return line.indices.map { i in
    defer { sum += element(i + reach + 1) - element(i - reach) }
    return (sum + reach) / size
  }
}
