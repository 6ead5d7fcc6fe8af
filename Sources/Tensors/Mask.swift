/// Where an edit may act: `[height, width]`, 1 = editable, 0 = keep, values between for soft edges.
public struct Mask: Sendable, Equatable {
  public let height: Int
  public let width: Int
  public var values: [Float]

  public init(height: Int, width: Int, values: [Float]) {
    precondition(values.count == height * width, "\(values.count) values for \(height)×\(width)")
    self.height = height
    self.width = width
    self.values = values
  }

  public init(height: Int, width: Int, repeating value: Float = 1) {
    self.init(height: height, width: width, values: Array(repeating: value, count: height * width))
  }

  public var isBinary: Bool { values.allSatisfy { $0 == 0 || $0 == 1 } }
  public var isEmpty: Bool { values.allSatisfy { $0 == 0 } }
  /// Whether every value lies in 0…1 (not a number does not).
  public var isValid: Bool { values.allSatisfy { $0 >= 0 && $0 <= 1 } }

  /// `[H, W, 1]`.
  public var tensor: HostTensor { HostTensor(shape: [height, width, 1], values: values) }

  public subscript(y: Int, x: Int) -> Float {
    get { values[y * width + x] }
    set { values[y * width + x] = newValue }
  }

  /// 1 where the value is at least `threshold`, else 0.
  public func binarized(at threshold: Float = 0.5) -> Mask {
    Mask(height: height, width: width, values: values.map { $0 >= threshold ? 1 : 0 })
  }

  /// The value at the upper left of each target cell: source index ⌊target·size/newSize⌋.
  public func nearest(height newHeight: Int, width newWidth: Int) -> Mask {
    var out = Mask(height: newHeight, width: newWidth, repeating: 0)
    for y in 0..<newHeight {
      for x in 0..<newWidth { out[y, x] = self[y * height / newHeight, x * width / newWidth] }
    }
    return out
  }

  /// `inside` where the mask is 1, `outside` where it is 0 (both bit for bit), the mixture between.
  public func blend(inside: Latent, outside: Latent) -> Latent {
    precondition(inside.shape == outside.shape && inside.height == height && inside.width == width)
    var out = inside
    let channels = inside.channels
    for p in values.indices where values[p] != 1 {
      let m = values[p]
      for i in p * channels..<(p + 1) * channels {
        out.values[i] = m == 0 ? outside.values[i] : m * inside.values[i] + (1 - m) * outside.values[i]
      }
    }
    return out
  }
}

/// How a mask as drawn becomes as small as the latent; an element covers a cell of 8×8 working pixels.
public enum MaskRule: Sendable, Equatable {
  /// Binary: from the middle grey (128) on, then the upper left pixel of each cell.
  case nearest
  /// Binary: 1 where the mean over the cell is at least ½.
  case majority
  /// The mean over the cell, by which the edit is weighted.
  case soft
  /// The mean over the cell: in how much of the edit's steps it takes part. All that does is the edit's.
  case gradual
}

extension Latent {
  /// Every channel multiplied by the mask; exactly 0 where the mask is 0, whatever the latent holds there.
  public static func * (mask: Mask, latent: Latent) -> Latent {
    precondition(mask.height == latent.height && mask.width == latent.width)
    var out = latent
    let channels = latent.channels
    for p in mask.values.indices where mask.values[p] != 1 {
      let m = mask.values[p]
      for i in p * channels..<(p + 1) * channels { out.values[i] = m == 0 ? 0 : m * latent.values[i] }
    }
    return out
  }
}
