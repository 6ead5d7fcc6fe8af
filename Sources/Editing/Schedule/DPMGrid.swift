import Tensors

/// Timesteps and levels of the multistep solver DPM-Solver++ (Lu et al. 2022), and its step.
///
///     σ̂ = s/a,   A = 1/√(1 + σ̂²),   S = σ̂·A,   Λ = ln A − ln S
///
/// Index k counts executed order: k = 0 is the noisiest, k = N the end with σ̂ = 0.
package struct DPMGrid: Sendable, Equatable {
  package enum Spacing: String, Sendable, CaseIterable {
    /// t_j = round(999·j/N), ties to even; t = 0 is left out.
    case linspace
    /// t_j = ⌊1000/(N + 1)⌋·j + offset.
    case leading
  }

  /// Descending.
  package let timesteps: [Int]
  /// A by k, 0…N; the last is 1.
  package let signal: [Double]
  /// S by k, 0…N; the last is 0.
  package let noise: [Double]
  private let halfLogSNR: [Double]

  package var steps: Int { timesteps.count }

  /// - Throws: `EditError.gridTooFine` where timesteps would repeat or lie beyond the training steps.
  package init(_ schedule: NoiseSchedule, steps: Int, spacing: Spacing) throws(EditError) {
    let training = NoiseSchedule.trainingSteps
    switch spacing {
    case .linspace:
      guard (1..<training).contains(steps) else { throw .gridTooFine(steps: steps, limit: training - 1) }
      timesteps = (1...steps).reversed().map { j in
        Int((Double((training - 1) * j) / Double(steps)).rounded(.toNearestOrEven))
      }
    case .leading:
      // Below half of the training steps the stride is at least 2 and the offset always fits.
      guard (1..<training / 2).contains(steps) else {
        throw .gridTooFine(steps: steps, limit: training / 2 - 1)
      }
      let stride = training / (steps + 1)
      timesteps = (1...steps).reversed().map { stride * $0 + schedule.stepsOffset }
    }
    let sigmas = timesteps.map { t in
      let b = schedule.alphaBar(t)
      return ((1 - b) / b).squareRoot()
    }
    signal = (sigmas + [0]).map { 1 / (1 + $0 * $0).squareRoot() }
    noise = zip(sigmas + [0], signal).map { $0 * $1 }
    halfLogSNR = zip(signal, noise).map { $1 > 0 ? PortableMath.log($0) - PortableMath.log($1) : .infinity }
  }

  /// m_k = x̂₀ = (x − S·ε)/A.
  package func denoised(_ k: Int, _ x: Latent, _ eps: Latent) -> Latent {
    .combination([(1 / signal[k], x), (-noise[k] / signal[k], eps)])
  }

  /// Factor of the noise in the SDE step k → k+1: S_{k+1}·√(1 − E²).
  package func noiseScale(_ k: Int) -> Double {
    let decay = decay(k)
    return noise[k + 1] * (1 - decay * decay).squareRoot()
  }

  /// One step k → k+1 of SDE-DPM-Solver++ or, without noise, of DPM-Solver++ (Lu et al. 2022, algorithm 2;
  /// the midpoint variant in multistep form):
  ///
  ///     E = e^{−h} = S_{k+1}·A_k/(S_k·A_{k+1}),   h = Λ_{k+1} − Λ_k,   D₁ = h/(Λ_k − Λ_{k−1})·(m_k − m_{k−1})
  ///     SDE  x' = (S_{k+1}/S_k)·E·x + A_{k+1}·(1 − E²)·(m_k + ½·D₁) + S_{k+1}·√(1 − E²)·z
  ///     ODE  x' = (S_{k+1}/S_k)·x   + A_{k+1}·(1 − E)·(m_k + ½·D₁)
  ///
  /// - Parameters:
  ///   - denoised: m_k.
  ///   - previous: m_{k−1} for a second-order step; nil for a first-order one.
  ///   - z: the noise of an SDE step; nil for none. The last step, where S is 0, has none.
  ///   - residual: added as it is, in the last step too.
  /// - Returns: without a residual, m_k itself for the last step.
  package func step(
    _ k: Int, _ x: Latent, denoised m: Latent, previous: Latent?, _ sampler: Sampler, noise z: Latent? = nil,
    plus residual: Latent? = nil
  ) -> Latent {
    var terms = mean(k, x, denoised: m, previous: previous, sampler)
    if let z, noise[k + 1] > 0 { terms.append((noiseScale(k), z)) }
    if let residual { terms.append((1, residual)) }
    return .combination(terms)
  }

  /// δ: what the SDE step without its noise misses `next` by.
  func residual(
    leadingTo next: Latent, _ k: Int, from x: Latent, denoised m: Latent, previous: Latent?
  ) -> Latent {
    let mean = mean(k, x, denoised: m, previous: previous, .sde)
    return .combination([(1, next)] + mean.map { (-$0.0, $0.1) })
  }

  /// The step without its noise, term by term.
  private func mean(
    _ k: Int, _ x: Latent, denoised m: Latent, previous: Latent?, _ sampler: Sampler
  ) -> [(Double, Latent)] {
    guard noise[k + 1] > 0 else { return [(1, m)] }
    let ratio = noise[k + 1] / noise[k]
    let e = decay(k)
    let (kx, km) =
      switch sampler {
      case .sde: (ratio * e, signal[k + 1] * (1 - e * e))
      case .ode: (ratio, signal[k + 1] * (1 - e))
      }
    var terms = [(kx, x), (km, m)]
    if let previous, k > 0 {
      let h = (halfLogSNR[k + 1] - halfLogSNR[k]) / (halfLogSNR[k] - halfLogSNR[k - 1])
      terms[1].0 = km * (1 + 0.5 * h)
      terms.append((-km * 0.5 * h, previous))
    }
    return terms
  }

  /// E of the step k → k+1, written without the logarithms, which are infinite at the end.
  private func decay(_ k: Int) -> Double { noise[k + 1] * signal[k] / (noise[k] * signal[k + 1]) }
}

extension NoiseSchedule {
  package func dpmGrid(steps: Int, spacing: DPMGrid.Spacing) throws(EditError) -> DPMGrid {
    try DPMGrid(self, steps: steps, spacing: spacing)
  }
}
