/// The timesteps of a run with N transitions and the levels between them.
///
///     leading    τ_j = ⌊1000/N⌋·j + offset,   j = 0…N−1
///     trailing   τ_j = round(1000·(j + 1)/N) − 1, ties to even: from 999 down in even steps
///     level 0 is clean (ᾱ_f), level ℓ ≥ 1 is τ_{ℓ−1};  the transition ℓ → ℓ−1 is conditioned on τ_{ℓ−1}
///
/// (Song et al. 2021, section 4.2, with the spacing of the Stable Diffusion samplers; Lin et al. 2024, table 2, for the
/// trailing one, which models that were distilled to few steps were trained on.)
package struct SamplingGrid: Sendable, Equatable {
  package let steps: Int
  /// τ, ascending.
  package let timesteps: [Int]
  /// ᾱ by level, 0…N.
  package let alphaBars: [Double]

  /// - Parameter spacing: the schedule's own if nil.
  init(
    _ schedule: NoiseSchedule, steps: Int, spacing: NoiseSchedule.Spacing? = nil
  ) throws(EditError) {
    let training = NoiseSchedule.trainingSteps
    if spacing ?? schedule.spacing == .trailing {
      guard (1...training).contains(steps) else { throw .gridTooFine(steps: steps, limit: training) }
      timesteps = (1...steps).map {
        Int((Double(training * $0) / Double(steps)).rounded(.toNearestOrEven)) - 1
      }
      self.steps = steps
      alphaBars = [schedule.finalAlphaBar] + timesteps.map(schedule.alphaBar)
      return
    }
    let limit = schedule.stepsOffset == 0 ? NoiseSchedule.trainingSteps : NoiseSchedule.trainingSteps - 1
    guard steps >= 1, steps <= NoiseSchedule.trainingSteps else {
      throw .gridTooFine(steps: steps, limit: limit)
    }
    let stride = NoiseSchedule.trainingSteps / steps
    let timesteps = (0..<steps).map { stride * $0 + schedule.stepsOffset }
    guard timesteps[steps - 1] < NoiseSchedule.trainingSteps else {
      throw .gridTooFine(steps: steps, limit: limit)
    }
    self.steps = steps
    self.timesteps = timesteps
    alphaBars = [schedule.finalAlphaBar] + timesteps.map(schedule.alphaBar)
  }

  /// Timestep that the transition from `level` to `level − 1` is conditioned on.
  package func timestep(_ level: Int) -> Int { timesteps[level - 1] }

  /// The step from `level` down to `level − 1`.
  package func transition(from level: Int) -> Transition {
    Transition(timestep: timestep(level), from: alphaBars[level], to: alphaBars[level - 1])
  }
}

/// The levels of the methods that take the clean latent to *be* the state at the first timestep τ_0, so
/// that only the N−1 transitions among τ_0…τ_{N−1} exist and no ᾱ outside the table is used
/// (Nie et al. 2024, Cycle-SDE and SDE-Drag). Leading for every model: the first of few trailing timesteps is noisy.
///
/// Level k ∈ 0…N−1 is τ_k.
package struct StateGrid: Sendable, Equatable {
  package let timesteps: [Int]
  package let alphaBars: [Double]

  init(_ schedule: NoiseSchedule, steps: Int) throws(EditError) {
    timesteps = try SamplingGrid(schedule, steps: steps, spacing: .leading).timesteps
    alphaBars = timesteps.map(schedule.alphaBar)
  }

  /// Transitions of a run over the fraction `t0` of the schedule: ⌊t0·N⌋, at most N−1.
  package func transitions(_ t0: Double) -> Int {
    min(Editing.transitions(t0, of: timesteps.count), timesteps.count - 1)
  }

  /// The step from level `k` down to `k − 1`, conditioned on τ_k.
  package func transition(from k: Int) -> Transition {
    Transition(timestep: timesteps[k], from: alphaBars[k], to: alphaBars[k - 1])
  }
}

extension NoiseSchedule {
  /// - Throws: `EditError.gridTooFine` if the topmost timestep would lie beyond the training steps.
  ///
  /// - Parameter spacing: the schedule's own if nil.
  package func samplingGrid(steps: Int, spacing: Spacing? = nil) throws(EditError) -> SamplingGrid {
    try SamplingGrid(self, steps: steps, spacing: spacing)
  }
  package func stateGrid(steps: Int) throws(EditError) -> StateGrid { try StateGrid(self, steps: steps) }
}

/// ⌊fraction·steps⌋, at most `steps`, guarded against 0.29·100 = 28.999…
package func transitions(_ fraction: Double, of steps: Int) -> Int {
  min(steps, Int((fraction * Double(steps) + 1e-9).rounded(.down)))
}
