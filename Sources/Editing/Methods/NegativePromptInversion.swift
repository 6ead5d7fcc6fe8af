import Tensors

/// Negative-prompt inversion: what null-text inversion optimises for lies close to the source prompt itself, so that
/// takes the place of the empty one (Miyake, Iohara, Saito & Tanaka 2023), here with proximal guidance and the pull
/// back to the photo's path (Han et al. 2024, ProxEdit).
///
///     y_0 … y_N by DDIM inversion with the source prompt, unguided;   x_N = y_N
///     d = ε(x_ℓ; target) − ε(x_ℓ; source), shrunk by `Proximity`;   x_{ℓ−1} by DDIM with ε(x_ℓ; source) + w·d
///     t < T:   x_{ℓ−1} ← x_{ℓ−1} − r·(1 − B)·(x_{ℓ−1} − y_{ℓ−1}),   B = 1 near |d| > λ
///
/// The published edits add attention control, which is not here. Draws: none.
public struct NegativePromptInversion: InvertingMethod {
  public var steps = 50
  /// w.
  public var guidance = 7.5
  public var proximity = Proximity.soft
  public var quantile = 0.75
  /// r.
  public var pull = 1.0
  /// T.
  public var pullsBelow = 400
  public var dilation = 1
  /// Of the inversion, which shares its path with that of DDIM.
  private var sourceGuidance = 1.0

  public init() {}

  public static let about = MethodSummary(
    name: "npi",
    summary: "DDIM inversion, then sampling away from the source prompt, only where the prompts disagree.",
    paper: "Miyake et al. 2023, Negative-prompt Inversion; Han et al. 2024, ProxEdit",
    goals: [.colour, .object], needs: [.image, .sourcePrompt, .targetPrompt], needsWords: true,
    samplers: [.ode],
    evaluations: "steps + 2·steps = 150, 100 with a saved inversion")

  public static let parameters: [Parameter<NegativePromptInversion>] = [
    Parameter("steps", \.steps, .steps, "network steps of the whole schedule").inCases("steps")
      .shapesInversion(),
    Parameter("cfg-scale", \.guidance, .any, "weight of the target prompt against the source prompt")
      .reported(as: "guidance").inCases("w"),
    Parameter("prox", \.proximity, "how the difference of the prompts is shrunk to where it is large")
      .inCases("prox"),
    Parameter("quantile", \.quantile, .unit, "part that prox shrinks to nothing; under 0.5 is none")
      .inCases("quantile").idle(withoutProximity),
    Parameter("recon-lr", \.pull, .unit, "how far what prox leaves alone is pulled back to the photo's path")
      .inCases("recon_lr").idle(withoutProximity),
    Parameter("recon-t", \.pullsBelow, .within(0...1000), "timestep below which it is pulled back")
      .inCases("recon_t").idle(withoutPull),
    Parameter("dilate", \.dilation, .atLeast(0), "cells around a change that are not pulled back")
      .counted(in: "cells").inCases("dilate").idle(withoutPull),
    Parameter("source-cfg-scale", \.sourceGuidance, .any, "weight of the source prompt in the inversion")
      .fixed
      .reported(as: "source-guidance").shapesInversion(),
  ]
  public static var caseKinds: [String: Self] { ["npi": Self()] }
  public static let inversionFamily = DDIMTranslation.name

  private static let withoutProximity: @Sendable (Self, EditOutline) -> String? = { method, _ in
    method.proximity == .none ? "with prox none" : nil
  }
  private static let withoutPull: @Sendable (Self, EditOutline) -> String? = { method, outline in
    withoutProximity(method, outline) ?? (method.pull == 0 ? "with recon-lr 0" : nil)
  }

  public func evaluations(_ outline: EditOutline) -> Int {
    (outline.inversion == .given ? 0 : steps) + steps * evaluationsAtOnce(outline)
  }
  /// Both prompts are needed for where they disagree, whatever the weight.
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    proximity == .none ? Guidance(guidance).evaluations : 2
  }
  /// The inverted path.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    outline.inversion == .given ? 0 : bytes(steps + 1, height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.samplingGrid(steps: steps)
  }

  /// - Throws: `EditError.parameter` for a dilation wider than the latent.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let widest = max(inputs.height, inputs.width) - 1
    guard dilation <= widest else {
      throw EditError.parameter(
        method: name, name: "dilate", value: "\(dilation)", allowed: "up to \(widest) for this picture")
    }
    let (source, target) = (try inputs.reference(for: name), try inputs.target(for: name))
    let grid = try context.diffusion.schedule.samplingGrid(steps: steps)
    let inversion =
      if let given = inputs.inversion { given } else {
        try await ddimInversion(
          inputs, guidance: Guidance(sourceGuidance), levels: steps, on: grid, in: context)
      }
    try check(inversion)
    return try await edit(along: inversion, from: source, to: target, on: grid, in: context)
  }

  private func edit(
    along path: Inversion, from source: Condition, to target: Condition, on grid: SamplingGrid,
    in context: EditContext
  ) async throws -> Latent {
    let (model, observer) = (context.diffusion, context.observer)
    var x = try path.state(steps)
    for (i, level) in stride(from: steps, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      if proximity == .none {
        let query = GuidedQuery(x, timestep: step.timestep, target, Guidance(guidance), over: source)
        x = step.mean(x, try await model.guided([query])[0], eta: 0)
      } else {
        let eps = try await model.unet.noise(
          [source, target].map { NoiseQuery(x, timestep: step.timestep, $0) })
        let u = eps[0].values.map(Double.init)
        let (d, isLarge) = proximity.shrunk(zip(eps[1].values, u).map { Double($0) - $1 }, quantile: quantile)
        x = step.mean(x, Latent(like: x, values: zip(u, d).map { Float($0 + guidance * $1) }), eta: 0)
        if pull > 0, step.timestep < pullsBelow {
          let near = x.dilated(isLarge, by: dilation)
          observer("masks", near)
          x = x.pulled(to: try path.state(level - 1), by: pull, except: near)
        }
      }
      x = try x.checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}

extension Latent {
  /// The way to `other` by a part of it, where `mask` is 0; all the way is `other` bit for bit.
  fileprivate func pulled(to other: Latent, by part: Double, except mask: Latent) -> Latent {
    var out = self
    for i in out.values.indices where mask.values[i] == 0 {
      out.values[i] = Float((1 - part) * Double(values[i]) + part * Double(other.values[i]))
    }
    return out
  }
}

extension EditMethod {
  /// Negative-prompt inversion (`npi`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func negativePromptInversion(
    steps: Int? = nil, guidance: Double? = nil, proximity: Proximity? = nil, quantile: Double? = nil,
    pull: Double? = nil, pullsBelow: Int? = nil, dilation: Int? = nil
  ) -> EditMethod {
    EditMethod(
      NegativePromptInversion.self, Given(\.steps, steps), Given(\.guidance, guidance),
      Given(\.proximity, proximity), Given(\.quantile, quantile), Given(\.pull, pull),
      Given(\.pullsBelow, pullsBelow), Given(\.dilation, dilation))
  }
}
