import Tensors

/// SDE-Drag and its ODE counterpart: copy what is under a point to where it shall go, in a noised latent, and
/// let the sampler make a picture of it; many small drags reach far (Nie et al. 2024, SDE-Drag).
///
///     y_0 = z;  y_1 … y_K by the forward SDE (ODE: by inversion)
///     x_K = y_K with, per point:  square around P ← β·F + √(1 − β²)·n,  square around Q ← α·F
///     SDE  x_{k−1} = y_{k−1} + μ₁(x_k, ε̃(x_k)) − μ₁(y_k, ε̃(y_k));   ODE  x_{k−1} = μ₀(x_k, ε̃(x_k))
///     outside the mask x_{k−1} = y_{k−1};   z ← x_0
///
/// The clean latent is the state at the first timestep (`StateGrid`). Draws per drag: K of the forward SDE
/// (ODE: none), then one per point.
public struct Drag: EditingMethod {
  /// Those of the edit at hand, which are no setting.
  package var moves: [Move] = []
  public var steps = 200
  public var strength = 0.6
  /// Length of one small drag in latent cells.
  public var stepSize = 2.0
  /// r, in latent cells.
  public var radius = 5
  /// α: what the copy at the target is multiplied by.
  public var copyScale = 1.1
  /// β: how much of the original stays at the source.
  public var sourceScale = 0.3
  /// Guidance rises from 1 near the clean end to this.
  public var maxGuidance = 3.0
  /// The factor of adapters (LoRA), if there are any, falls from 1 near the clean end to this.
  public var minAdapterScale = 0.5
  public var sampler = Sampler.sde
  /// Off, a drag returns its input: for tests.
  package var copiesAndPastes = true

  public init() {}

  public static let about = MethodSummary(
    name: "drag", summary: "Moves what is under a point to another, in small drags through a noised latent.",
    paper: "Nie et al. 2024, The Blessing of Randomness (SDE-Drag)",
    goals: [.move], needs: [.image, .targetPrompt, .points], accepts: [.mask, .lora], samplers: [.sde, .ode],
    maskRule: .majority, findsMask: .onRequest,
    evaluations: "4·K·drags, K = ⌊strength·steps⌋: 480 per drag; drags ≈ longest path/(8·step-size) pixels")

  public static var keepsProgress: Bool { true }

  public static let parameters: [Parameter<Drag>] = [
    Parameter("steps", \.steps, .within(2...1000), "states of the whole schedule").inCases("steps"),
    Parameter("strength", \.strength, .fraction, "part of the schedule that is run (t0)").inCases("t0"),
    Parameter(
      "step-size", \.stepSize, .within(0.125...1000), "length of one small drag"
    )
    .counted(in: "cells of 8 pixels").inCases("step_size"),
    Parameter("radius", \.radius, .within(1...64), "half side of the copied square")
      .counted(in: "cells of 8 pixels").inCases("r"),
    Parameter("copy-scale", \.copyScale, .any, "factor of the copy at the target (alpha)").inCases("alpha"),
    Parameter("source-scale", \.sourceScale, .unit, "how much of the original stays at the source (beta)")
      .inCases("beta"),
    Parameter("cfg-scale", \.maxGuidance, .any, "weight of the prompt at the noisy end; it starts at 1")
      .reported(as: "guidance").inCases("w_max"),
    Parameter("lora-min", \.minAdapterScale, .unit, "factor of LoRA files at the noisy end; it starts at 1")
      .inCases("lora_min") { (method, value) throws(CaseFault) in
        guard case .number(let scale)? = value("lora_min") else { return }
        method.minAdapterScale = scale
      },
    Parameter("sampler", \.sampler, "forward SDE and recorded noise, or inversion and the ODE")
      .inCases("sde") { (method, value) throws(CaseFault) in method.sampler = try Sampler(ofCase: value) },
  ]
  public static var caseKinds: [String: Self] { ["drag": Self()] }

  /// K.
  private var levels: Int { min(transitions(strength, of: steps), steps - 1) }
  /// w_j = 1 + (w_max − 1)·j/(K − 1) for the transition between the levels j − 1 and j. The denominator is the
  /// released code's; it reaches slightly above w_max.
  package func guidance(_ j: Int) -> Guidance { Guidance(1 + (maxGuidance - 1) * part(j)) }
  /// l_j = 1 − f + f·l_min,  f = (1 − cos(π·j/(K − 1)))/2
  package func adapterScale(_ j: Int) -> Double {
    let f = (1 - PortableMath.cosine(halfTurns: part(j))) / 2
    return (1 - f) + f * minAdapterScale
  }
  private func part(_ j: Int) -> Double { levels > 1 ? Double(j) / Double(levels - 1) : 1 }
  public func evaluations(_ outline: EditOutline) -> Int {
    drags(outline).reduce(0) { $0 + $1.evaluations }
  }
  private var evaluations: Int {
    dragCount * stride(from: 1, through: levels, by: 1).reduce(0) { $0 + 2 * guidance($1).evaluations }
  }
  /// Of the latent and, with the SDE, of the path that it is dragged along.
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    (sampler == .sde ? 2 : 1) * Guidance(maxGuidance).evaluations
  }
  /// One drag of all points, or one after the other: each starts from the latent that the last one left.
  private func drags(_ outline: EditOutline) -> [Drag] {
    (outline.dragsInSequence ? outline.moves.map { [$0] } : [outline.moves]).map { moves in
      var drag = self
      drag.moves = moves
      return drag
    }
  }
  /// Draws that a run can use at most; points whose squares vanish use none.
  private var drawCount: Int { dragCount * (levels + moves.count) }
  /// The path of one drag.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    bytes(levels + 1, height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.stateGrid(steps: steps)
    try requireTransition(strength, of: steps)
    if outline.moves.isEmpty { throw .noPoints }
  }

  /// The mask is cut at ½; outside it the photo comes back bit for bit. Without one everything may change, or, where
  /// the edit asks for it, what lies near the paths.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    let prompt = try inputs.target(for: name)
    let photo = try inputs.photo(for: name)
    var (mask, context) = (inputs.mask, context)
    if inputs.outline.findsMask {
      var all = self
      all.moves = inputs.outline.moves
      let path = all.automaticMask(height: inputs.height, width: inputs.width)
      context.observer.found(path)
      mask = path
    }
    var run = try await DragProgress(
      from: photo, name, levels: levels, keepsPath: sampler == .ode, in: context.journal)
    for (number, drag) in drags(inputs.outline).enumerated() {
      try await drag.edit(&run, number, showing: prompt, mask: mask, in: context)
      context.tape = context.tape.dropFirst(drag.drawCount)
    }
    return run.start
  }

  /// - Parameter number: of this drag.
  private func edit(
    _ run: inout DragProgress, _ number: Int, showing prompt: Condition, mask soft: Mask?,
    in context: EditContext
  ) async throws {
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let (height, width) = (run.start.height, run.start.width)
    try checkPoints(height: height, width: width)
    try soft?.check(for: run.start)
    let mask = soft?.binarized()
    if let mask, mask.leavesNothing(observer, cutFrom: soft) { return }
    let grid = try model.schedule.stateGrid(steps: steps)
    var draw = 0
    for i in 0..<dragCount {
      // Told of a small drag that is done as well: a run that goes on says what the unbroken one would.
      let copies = copiesAndPastes ? squares(ofPart: i, height: height, width: width, observer) : []
      let (firstDraw, walked) = (draw, sampler == .sde ? levels : 0)
      draw += walked + copies.count
      guard run.begin(number, i) else { continue }
      let path =
        switch sampler {
        case .sde: try grid.forward(run.start, levels: levels, tape: tape, firstDraw: firstDraw)
        case .ode: try await invert(run, prompt, model: model, grid)
        }
      var x = path[levels]
      try copyAndPaste(copies, in: &x, tape: tape, firstDraw: firstDraw + walked)
      observer("pasted", x)
      let top = run.reached?.level ?? levels
      x = run.reached?.x ?? x
      for k in stride(from: top, through: 1, by: -1) {
        x = try await step(grid.transition(from: k), k, x, path, prompt, model: model)
        if let mask { x = mask.blend(inside: x, outside: path[k - 1]) }
        x = try x.checked(name, step: i * levels + levels - k + 1)
        try await run.reach(k - 1, x)
      }
      observer("traj", run.start)
    }
    observer("out", run.start)
  }

  /// One step k → k − 1, next to the path y that the drag came along.
  private func step(
    _ step: Transition, _ k: Int, _ x: Latent, _ y: [Latent], _ prompt: Condition,
    model: Diffusion
  ) async throws -> Latent {
    let latents = sampler == .sde ? [x, y[k]] : [x]
    let eps = try await model.guided(
      latents.map {
        GuidedQuery($0, timestep: step.timestep, prompt, guidance(k), adapterScale: adapterScale(k))
      })
    guard sampler == .sde else { return step.mean(x, eps[0], eta: 0) }
    return step.pairedStep(x, eps[0], along: y[k], eps[1], to: y[k - 1], eta: 1)
  }

  /// The sampling ODE upwards. Unlike `ddimInversion`, the network is told the timestep the latent is *on*,
  /// as the helper in the released code does.
  private func invert(
    _ run: DragProgress, _ prompt: Condition, model: Diffusion, _ grid: StateGrid
  ) async throws -> [Latent] {
    var path = [run.start]
    for k in 0..<levels {
      if let y = run.walked(to: k + 1) {
        path.append(y)
        continue
      }
      let ask = GuidedQuery(
        path[k], timestep: grid.timesteps[k], prompt, guidance(k + 1), adapterScale: adapterScale(k + 1))
      let eps = try await model.guided([ask])[0]
      path.append(try grid.transition(from: k + 1).inverted(path[k], eps).checked(name, step: k + 1))
      try await run.walk(to: k + 1, path[k + 1])
    }
    return path
  }
}

extension EditMethod {
  /// SDE-Drag (`drag`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func drag(
    steps: Int? = nil, strength: Double? = nil, stepSize: Double? = nil, radius: Int? = nil,
    copyScale: Double? = nil, sourceScale: Double? = nil, guidance: Double? = nil,
    minAdapterScale: Double? = nil, sampler: Sampler? = nil
  ) -> EditMethod {
    EditMethod(
      Drag.self, Given(\.steps, steps), Given(\.strength, strength), Given(\.stepSize, stepSize),
      Given(\.radius, radius), Given(\.copyScale, copyScale), Given(\.sourceScale, sourceScale),
      Given(\.maxGuidance, guidance), Given(\.minAdapterScale, minAdapterScale), Given(\.sampler, sampler))
  }
}
