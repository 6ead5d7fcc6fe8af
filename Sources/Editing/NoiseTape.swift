import Tensors

/// The ordered list of random draws that a method consumes (methods.md 1.9).
///
/// Draws are asked for by index, so that a resumed run draws the same numbers. Each method states its order.
public protocol NoiseTape: Sendable {
  /// Draw `index`: `count` independent standard-normal latents of one tensor `[count, channels, height, width]`.
  func normal(_ index: Int, count: Int, height: Int, width: Int, channels: Int) throws -> [Latent]
  /// Draw `index`: an integer, uniform over `range`.
  func integer(_ index: Int, in range: ClosedRange<Int>) throws -> Int
}

extension NoiseTape {
  /// Draw `index`: one standard-normal latent of the shape of `latent`.
  public func normal(_ index: Int, like latent: Latent) throws -> Latent {
    try normal(
      index, count: 1, height: latent.height, width: latent.width, channels: latent.channels)[0]
  }
}
