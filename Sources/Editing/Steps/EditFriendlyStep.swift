import Tensors

/// The DDPM step of the edit-friendly family, and the residual that leads from one state of the photo to the next
/// (Huberman-Spiegelglas et al. 2024):
///
///     x_{ℓ−1} = μ(x_ℓ, ε) + δ_ℓ
///
/// Its direction term takes η·V where DDIM takes η²·V, as the released code does; for η = 1 they agree.
struct EditFriendlyStep {
  let timestep: Int
  private let x: Double
  private let eps: Double

  init(_ step: Transition, eta: Double) {
    timestep = step.timestep
    (x, eps) = step.coefficients(variance: eta * step.posteriorVariance)
  }

  /// μ(x, ε) + k·δ.
  func callAsFunction(_ x: Latent, _ eps: Latent, _ residual: Latent?, times k: Double = 1) -> Latent {
    .combination([(self.x, x), (self.eps, eps)] + (residual.map { [(k, $0)] } ?? []))
  }

  /// The δ that leads from x to `next`.
  func residual(leadingTo next: Latent, from x: Latent, _ eps: Latent) -> Latent {
    .combination([(1, next), (-self.x, x), (-self.eps, eps)])
  }
}
