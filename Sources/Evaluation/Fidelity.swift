import ImageFiles
import Tensors

/// Which pixels a measure looks at.
public enum Region: Sendable {
  case everywhere
  /// Where the mask is white (from 128 on).
  case inside
  case outside
}

extension Picture {
  /// Mean squared difference over the region's pixels and three channels, in squares of 8-bit levels; nil where
  /// the region is empty.
  public func meanSquaredError(
    to other: Picture, _ region: Region = .everywhere, of mask: MaskPicture? = nil
  ) -> Double? {
    precondition(width == other.width && height == other.height)
    var (sum, count) = (0, 0)
    for pixel in 0..<width * height {
      if let mask, region != .everywhere, (mask.pixels[pixel] >= 128) != (region == .inside) { continue }
      for i in 3 * pixel..<3 * pixel + 3 {
        let difference = Int(pixels[i]) - Int(other.pixels[i])
        sum += difference * difference
      }
      count += 3
    }
    return count == 0 ? nil : Double(sum) / Double(count)
  }
}
