/// Where an edit may act: `[height, width]`, 1 = editable, 0 = keep, values between for soft edges.
public struct Mask: Sendable, Equatable {
  public let height: Int
  public let width: Int
  public var values: [Float]

  public init(height: Int, width: Int, values: [Float]) {
    precondition(values.count == height * width)
    self.height = height
    self.width = width
    self.values = values
  }

  public init(height: Int, width: Int, repeating value: Float = 1) {
    self.init(height: height, width: width, values: Array(repeating: value, count: height * width))
  }

  public var isBinary: Bool { values.allSatisfy { $0 == 0 || $0 == 1 } }
  public var isEmpty: Bool { values.allSatisfy { $0 == 0 } }

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

extension Latent {
  /// Every channel multiplied by the mask.
  public static func * (mask: Mask, latent: Latent) -> Latent {
    precondition(mask.height == latent.height && mask.width == latent.width)
    var out = latent
    for i in out.values.indices { out.values[i] *= mask.values[i / latent.channels] }
    return out
  }
}
