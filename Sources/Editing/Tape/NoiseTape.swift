import Tensors

/// The ordered list of random draws that a method consumes.
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

  /// The tape without its first draws, for a part of a run that comes after another.
  public func dropFirst(_ count: Int) -> any NoiseTape { TapeRemainder(tape: self, start: count) }
}

private struct TapeRemainder<Tape: NoiseTape>: NoiseTape {
  var tape: Tape
  var start: Int

  func normal(_ index: Int, count: Int, height: Int, width: Int, channels: Int) throws -> [Latent] {
    try tape.normal(start + index, count: count, height: height, width: width, channels: channels)
  }
  func integer(_ index: Int, in range: ClosedRange<Int>) throws -> Int {
    try tape.integer(start + index, in: range)
  }
}
