import Tensors

/// The paper's steps, forth and back.
extension DDPMInversion {
  /// An edit needs levels N − skip … 1 only, since the residual of a level does not depend on those above it.
  func firstOrderInversion(_ inputs: EditInputs, in context: EditContext) async throws -> Inversion {
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let (source, prompt) = (try inputs.photo(for: name), inputs.referenceIfAny)
    let keepsEveryLevel = observer.isTracing || observer.keepsInversion
    let grid = try model.schedule.samplingGrid(steps: steps)
    let top = keepsEveryLevel ? steps : editedLevels
    func noised(_ level: Int) throws -> Latent {
      level == 0
        ? source
        : model.schedule.diffuse(source, to: grid.timestep(level), try tape.normal(level - 1, like: source))
    }

    var x = try noised(top)
    var inversion = newInversion(inputs.outline, states: [top: x])
    for (i, level) in (1...top).reversed().enumerated() {
      let step = EditFriendlyStep(grid.transition(from: level), eta: eta)
      let eps =
        if let prompt {
          try await model.guided(x, timestep: step.timestep, prompt, Guidance(sourceGuidance))
        } else {
          try await model.unguided(x, timestep: step.timestep)
        }
      let below = try noised(level - 1)
      let residual = step.residual(leadingTo: below, from: x, eps)
      // Computed again from δ, so that rounding does not add up over the levels; but not where this edit starts,
      // so that it has the same bits whether or not the levels above are inverted.
      let isStart = level - 1 == editedLevels
      x = try (isStart ? below : step(x, eps, residual)).checked(name, step: i + 1)
      inversion.residuals[level] = residual
      if keepsEveryLevel { inversion.states[level - 1] = x }
    }
    if observer.isTracing { report(inversion, on: grid, to: observer) }
    observer.inverted(inversion)
    return inversion
  }

  /// Residuals as an edit uses them, and the noise maps that the paper makes of them: for looking at.
  private func report(_ inversion: Inversion, on grid: SamplingGrid, to observer: EditObserver) {
    for level in inversion.residuals.keys.sorted() {
      let residual = inversion.residuals[level]!
      let sigma = grid.transition(from: level).sigma(eta: eta)
      let z = (sigma > 0 ? 1 / sigma : 0) * residual
      observer("residuals", level > zeroLast ? residual : 0 * residual)
      observer("zs", level > zeroLast ? z : 0 * z)
      if level == 1 { observer("z1_before_zeroing", z) }
    }
    for level in inversion.states.keys.sorted() { observer("xs", inversion.states[level]!) }
  }

  /// δ of a level as an edit uses it; nil for none.
  func residual(_ level: Int, of inversion: Inversion) throws(EditError) -> Latent? {
    level > zeroLast ? try inversion.residual(level) : nil
  }

  /// Samples with the photo's residuals towards `target`.
  func firstOrderEdit(
    _ inversion: Inversion, to target: Condition, in context: EditContext
  ) async throws -> Latent {
    let (model, observer) = (context.diffusion, context.observer)
    let grid = try model.schedule.samplingGrid(steps: steps)
    var x = try inversion.state(editedLevels)
    for (i, level) in (1...editedLevels).reversed().enumerated() {
      let step = EditFriendlyStep(grid.transition(from: level), eta: eta)
      let eps = try await model.guided(x, timestep: step.timestep, target, Guidance(targetGuidance))
      x = try step(x, eps, residual(level, of: inversion)).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}
