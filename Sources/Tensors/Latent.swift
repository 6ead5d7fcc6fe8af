/// A picture in the autoencoder's latent space, `[height, width, channels]`, channels last, multiplied by
/// the model's scaling factor.
public struct Latent: Sendable, Equatable, Codable {
  public let height: Int
  public let width: Int
  public let channels: Int
  /// Element (y, x, c) at `(y·width + x)·channels + c`.
  public var values: [Float]

  public init(height: Int, width: Int, channels: Int = 4, values: [Float]) {
    precondition(
      values.count == height * width * channels, "\(values.count) values for \(height)×\(width)×\(channels)")
    self.height = height
    self.width = width
    self.channels = channels
    self.values = values
  }

  public init(height: Int, width: Int, channels: Int = 4, repeating value: Float = 0) {
    self.init(
      height: height, width: width, channels: channels,
      values: Array(repeating: value, count: height * width * channels))
  }

  /// A latent of the shape of `other` with given values.
  public init(like other: Latent, values: [Float]) {
    self.init(height: other.height, width: other.width, channels: other.channels, values: values)
  }

  /// `[H, W, C]`.
  public init(_ tensor: HostTensor) {
    precondition(tensor.shape.count == 3)
    self.init(
      height: tensor.shape[0], width: tensor.shape[1], channels: tensor.shape[2], values: tensor.values)
  }

  public var tensor: HostTensor { HostTensor(shape: [height, width, channels], values: values) }
  public var shape: [Int] { [height, width, channels] }
  public var byteCount: Int { values.count * 4 }

  public subscript(y: Int, x: Int, c: Int) -> Float {
    get { values[(y * width + x) * channels + c] }
    set { values[(y * width + x) * channels + c] = newValue }
  }

  /// Whether every value is finite and at most `bound` in magnitude.
  public func isWithin(_ bound: Float) -> Bool { values.allSatisfy { abs($0) <= bound } }

  /// Whether no value is infinite or not a number.
  public var isFinite: Bool { values.allSatisfy(\.isFinite) }

  /// The values as a plain `[n, C, H, W]` tensor stores one of its n latents.
  public var channelsFirst: [Float] { tensor.toNCHW().values }

  /// Latents one after another as `[n, C, H, W]`.
  public static func stacked(_ latents: [Latent]) -> HostTensor {
    precondition(Set(latents.map(\.shape)).count == 1, "latents of one shape")
    let (height, width, channels) = (latents[0].height, latents[0].width, latents[0].channels)
    return HostTensor(
      shape: [latents.count, channels, height, width], values: latents.flatMap(\.channelsFirst))
  }

  /// `[n, C, H, W]` → n latents.
  public static func unstacked(_ tensor: HostTensor) -> [Latent] {
    precondition(tensor.shape.count == 4, "[n, C, H, W], got \(tensor.shape)")
    let shape = Array(tensor.shape.dropFirst())
    let count = shape.reduce(1, *)
    return (0..<tensor.shape[0]).map { n in
      let one = HostTensor(shape: shape, values: Array(tensor.values[n * count..<(n + 1) * count]))
      return Latent(HostTensor(fromNCHW: one))
    }
  }
}
