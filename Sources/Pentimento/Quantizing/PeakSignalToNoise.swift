import Platform
import Tensors

/// Peak signal-to-noise ratio of 8-bit pictures in dB: 10·log₁₀(255²/error); nil where nothing differs.
///
/// - Parameter meanSquaredError: in squares of 8-bit levels.
public func peakSignalToNoise(meanSquaredError: Double) -> Double? {
  meanSquaredError == 0 ? nil : 10 * log10(255 * 255 / meanSquaredError)
}

extension Picture {
  /// Peak signal-to-noise ratio in dB over all samples; nil for equal pictures.
  public func decibels(against other: Picture) -> Double? {
    precondition(width == other.width && height == other.height)
    let error = zip(pixels, other.pixels).reduce(0.0) { sum, pair in
      let difference = Double(pair.0) - Double(pair.1)
      return sum + difference * difference
    }
    return peakSignalToNoise(meanSquaredError: error / Double(pixels.count))
  }
}
