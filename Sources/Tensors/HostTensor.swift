/// A tensor that belongs to the caller: Float32 values in row-major order of `shape`.
///
/// The currency between the networks' executors and the rest of the program.
public struct HostTensor: Sendable, Equatable {
  public var shape: [Int]
  public var values: [Float]

  public init(shape: [Int], values: [Float]) {
    precondition(shape.reduce(1, *) == values.count, "\(values.count) values for shape \(shape)")
    self.shape = shape
    self.values = values
  }

  public init(shape: [Int], repeating value: Float = 0) {
    self.init(shape: shape, values: Array(repeating: value, count: shape.reduce(1, *)))
  }

  public var count: Int { values.count }
  public var isFinite: Bool { values.allSatisfy(\.isFinite) }

  /// The same values as another implementation stores them: `[H, W, C]` → `[1, C, H, W]`.
  public func toNCHW() -> HostTensor {
    precondition(shape.count == 3)
    let (height, width, channels) = (shape[0], shape[1], shape[2])
    var out = HostTensor(shape: [1, channels, height, width])
    for c in 0..<channels {
      for p in 0..<height * width { out.values[c * height * width + p] = values[p * channels + c] }
    }
    return out
  }

  /// `[1, C, H, W]` or `[C, H, W]` → `[H, W, C]`.
  public init(fromNCHW tensor: HostTensor) {
    let shape = Array(tensor.shape.suffix(3))
    precondition(tensor.count == shape.reduce(1, *), "one picture at a time")
    let (channels, height, width) = (shape[0], shape[1], shape[2])
    self.init(shape: [height, width, channels])
    for c in 0..<channels {
      for p in 0..<height * width { values[p * channels + c] = tensor.values[c * height * width + p] }
    }
  }
}
