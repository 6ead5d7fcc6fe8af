import Tensors

/// DiffEdit's mask: where the predictions for two prompts differ on the noised photo (Couairon et al. 2023,
/// step one: computing the mask).
///
///     D = mean over maps and channels of |ε̃(x; target) − ε̃(x; source)|,   x = a·x₀ + s·n
///     M = 1 where min(D, r·D̄)/(r·D̄) > ½,   D̄ the mean of D
///
/// Draws: one tensor of all maps.
public struct DiffEditMask: Sendable, Equatable {
  public var steps = 50
  /// Part of the schedule at whose end the photo is compared; 0.5: t = 481.
  public var strength = 0.5
  public var maps = 10
  public var guidance = 7.5
  /// r: differences are cut at this multiple of their mean.
  public var ratio = 3.0

  public init() {}

  package static let parameters: [Parameter<DiffEditMask>] = [
    Parameter("mask-steps", \.steps, .steps, "steps of the schedule in which the mask is looked for").fixed
      .inCases("steps"),
    Parameter("mask-strength", \.strength, .fraction, "how much noise the photo gets for it").inCases(
      "strength"),
    Parameter("mask-maps", \.maps, .within(1...1000), "noise samples compared").inCases("maps"),
    Parameter("mask-cfg-scale", \.guidance, .any, "weight of both prompts").reported(as: "mask-guidance")
      .inCases("w"),
    Parameter("mask-ratio", \.ratio, .positive, "differences are cut at this multiple of their mean")
      .inCases("ratio"),
  ]

  package var evaluations: Int { 2 * maps * Guidance(guidance).evaluations }

  func validate(on schedule: NoiseSchedule) throws(EditError) {
    for parameter in Self.parameters { try parameter.check(self, named: DiffEdit.name) }
    _ = try schedule.samplingGrid(steps: steps)
    guard transitions(strength, of: steps) >= 1 else {
      throw .nothingToDo(
        method: DiffEdit.name, reason: "a mask strength of \(strength) is less than one step")
    }
  }

  /// - Parameters:
  ///   - source: the photo's latent.
  ///   - prompt: what it shows.
  package func callAsFunction(
    _ source: Latent, from prompt: Condition, to target: Condition, in context: EditContext
  ) async throws -> Mask {
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    try validate(on: model.schedule)
    let grid = try model.schedule.samplingGrid(steps: steps)
    let t = grid.timestep(transitions(strength, of: steps))
    let noises = try tape.normal(
      0, count: maps, height: source.height, width: source.width, channels: source.channels)
    let eps = try await model.guided(
      noises.flatMap { n in
        let x = model.schedule.diffuse(source, to: t, n)
        return [prompt, target].map { GuidedQuery(x, timestep: t, $0, Guidance(guidance)) }
      })

    var difference = [Double](repeating: 0, count: source.height * source.width)
    for map in 0..<maps {
      let (a, b) = (eps[2 * map], eps[2 * map + 1])
      for i in a.values.indices {
        difference[i / source.channels] += abs(Double(b.values[i]) - Double(a.values[i]))
      }
    }
    difference = difference.map { $0 / Double(maps * source.channels) }
    let cut = ratio * difference.reduce(0, +) / Double(difference.count)
    let mask = Mask(
      height: source.height, width: source.width,
      values: difference.map { cut > 0 && min($0, cut) / cut > 0.5 ? 1 : 0 })
    observer.tensor(
      "diff", HostTensor(shape: [source.height, source.width], values: difference.map { Float($0) }))
    observer.tensor("out", mask.tensor)
    return mask
  }
}
