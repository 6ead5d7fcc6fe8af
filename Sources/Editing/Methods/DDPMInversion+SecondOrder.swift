import Tensors

/// The same edit along a solver of second order: the inversion of LEDITS++ (Brack et al. 2024) with prompts in the place
/// of its concepts.
///
///     δ_k by `SolverInversion` with the source prompt;   ε = ε̃(x_k; target),   x_{k+1} = μ(x_k, m_k, m_{k−1}) + δ_k
///
/// Its 15 steps begin where the paper's 64 of 100 do. Draws: the noise of each step in ascending time.
extension DDPMInversion {
  func secondOrder(on schedule: NoiseSchedule) throws(EditError) -> SolverInversion {
    try SolverInversion(method: name, schedule, steps: steps, skip: skip, zeroLast: zeroLast)
  }

  func secondOrderInversion(_ inputs: EditInputs, in context: EditContext) async throws -> Inversion {
    try await secondOrder(on: context.diffusion.schedule).invert(
      inputs.photo(for: name), from: inputs.referenceIfAny, Guidance(sourceGuidance),
      into: newInversion(inputs.outline), in: context)
  }

  func secondOrderEdit(
    _ inversion: Inversion, to target: Condition, in context: EditContext
  ) async throws -> Latent {
    // One that says nothing of its solver is older than the choice.
    let made = inversion.parameters["solver"] ?? Solver.ddpm.rawValue
    guard made == solver.rawValue else {
      throw EditError.inversionMade(with: "solver", made: made, asked: solver.rawValue)
    }
    let model = context.diffusion
    return try await secondOrder(on: model.schedule).sample(inversion, in: context) { _, x, timestep in
      try await model.guided(x, timestep: timestep, target, Guidance(targetGuidance))
    }
  }
}
