import Tensors

extension Latent {
  /// Largest distance of two values in the same place.
  public func distance(to other: Latent) -> Float { (self - other).maxMagnitude }
  public func isClose(to other: Latent, within tolerance: Float) -> Bool { distance(to: other) <= tolerance }

  /// Whether both hold the same bits (== takes −0 for 0).
  public func isIdentical(to other: Latent) -> Bool {
    shape == other.shape && values.map(\.bitPattern) == other.values.map(\.bitPattern)
  }

  /// Whether both hold the same bits where `mask` is 0.
  public func isIdentical(to other: Latent, outside mask: Mask) -> Bool {
    values.indices.allSatisfy { i in
      mask.values[i / channels] != 0 || values[i].bitPattern == other.values[i].bitPattern
    }
  }
}

/// Half the distance between neighbouring Floats near 1: the relative error of one rounding.
public let halfUlp: Float = 0x1p-24

/// Mean, variance, and fourth standardized moment.
public struct Moments {
  public var mean: Double
  public var variance: Double
  public var kurtosis: Double

  public init(_ values: [Double]) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    let fourth = values.reduce(0) { sum, x in
      let d = (x - mean) * (x - mean)
      return sum + d * d
    }
    self.mean = mean
    self.variance = variance
    kurtosis = fourth / count / (variance * variance)
  }
}
