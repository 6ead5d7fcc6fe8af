/// An 8-bit RGB picture, `[height, width, 3]`, row-major, no padding.
public struct Picture: Sendable, Equatable {
  public let width: Int
  public let height: Int
  public var pixels: [UInt8]

  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(pixels.count == width * height * 3)
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  public var byteCount: Int { pixels.count }

  /// What the autoencoder reads: u8/127.5 − 1, `[H, W, 3]`.
  public var signal: HostTensor {
    HostTensor(shape: [height, width, 3], values: pixels.map { Float($0) / 127.5 - 1 })
  }

  /// What the autoencoder wrote: round(clamp(v/2 + ½, 0, 1)·255), `[H, W, 3]`.
  public init(signal: HostTensor) {
    precondition(signal.shape.count == 3 && signal.shape[2] == 3)
    self.init(
      width: signal.shape[1], height: signal.shape[0],
      pixels: signal.values.map { UInt8((min(max($0 / 2 + 0.5, 0), 1) * 255).rounded(.toNearestOrEven)) })
  }
}
