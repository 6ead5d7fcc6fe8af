import Tensors

/// A mask whose values say in how much of a run a place takes part (Levin & Fried 2025, Differential Diffusion).
///
///     x ← x' where i + 1 > K − ⌊M·K⌋, else the photo at the same level of noise          after step i = 0 … K − 1
///
/// White is free from the first step on, black never: there the photo comes back bit for bit. What lies between follows
/// the photo up to the last ⌊M·K⌋ steps, so that it changes as a run of that strength would change it, and no seam shows
/// where the mask grows from dark to bright. With black and white alone this is the usual blend.
struct ChangeMap {
  /// By cell, the steps after which it is the photo's.
  private let held: [Int]
  private let mask: Mask

  /// - Parameter steps: K.
  init(_ mask: Mask, steps: Int) {
    self.mask = mask
    held = mask.values.map { steps - transitions(Double($0), of: steps) }
  }

  /// - Parameters:
  ///   - step: i, that led to `x`.
  ///   - photo: the photo at the level of `x`.
  func kept(_ x: Latent, afterStep step: Int, photo: @autoclosure () -> Latent) -> Latent {
    guard held.contains(where: { step < $0 }) else { return x }
    var free = mask
    for p in held.indices { free.values[p] = step < held[p] ? 0 : 1 }
    return free.blend(inside: x, outside: photo())
  }
}
