/// A picture in the autoencoder's latent space, `[height, width, channels]`, channels last, multiplied by
/// the model's scaling factor.
public struct Latent: Sendable, Equatable {
  public let height: Int
  public let width: Int
  public let channels: Int
  /// Element (y, x, c) at `(y·width + x)·channels + c`.
  public var values: [Float]

  public init(height: Int, width: Int, channels: Int = 4, values: [Float]) {
    precondition(values.count == height * width * channels, "\(values.count) values for \(height)×\(width)×\(channels)")
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

  /// `[H, W, C]`.
  public init(_ tensor: HostTensor) {
    precondition(tensor.shape.count == 3)
    self.init(height: tensor.shape[0], width: tensor.shape[1], channels: tensor.shape[2], values: tensor.values)
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

  /// Σ coefficientᵢ·latentᵢ, computed in Double and rounded once.
  ///
  /// The step rules of every method are such sums; coefficients of the schedule are Doubles.
  public static func combination(_ terms: [(Double, Latent)]) -> Latent {
    var out = terms[0].1
    for i in out.values.indices {
      var sum = 0.0
      for (k, latent) in terms { sum += k * Double(latent.values[i]) }
      out.values[i] = Float(sum)
    }
    return out
  }

  /// Element by element.
  public func zip(_ other: Latent, _ f: (Float, Float) -> Float) -> Latent {
    precondition(shape == other.shape)
    var out = self
    for i in out.values.indices { out.values[i] = f(values[i], other.values[i]) }
    return out
  }

  public static func + (a: Latent, b: Latent) -> Latent { a.zip(b, +) }
  public static func - (a: Latent, b: Latent) -> Latent { a.zip(b, -) }
  public static func * (k: Double, a: Latent) -> Latent {
    var out = a
    for i in out.values.indices { out.values[i] = Float(k * Double(a.values[i])) }
    return out
  }
}
