import Tensors

/// Tunes what the network is told, level by level, so that guided sampling retraces a path that DDIM inversion found.
///
///     x = y_N
///     for ℓ = N … 1:   fresh Adam;   at most J times  c ← Adam(c, ∂L/∂c),  L of the step from x to y_{ℓ−1}
///                      c_ℓ ← c;      x ← the step with c_ℓ
///
/// One prediction of the guided pair is tuned, the other is asked for once per level. Prompt tuning (Dong et al. 2023)
/// tunes the conditional one, null-text inversion (Mokady et al. 2023) the unconditional one.
struct ContextTuning: Sendable {
  enum Side: Sendable { case conditional, unconditional }

  var method: String
  var side: Side
  var guidance: Guidance
  /// What is not tuned.
  var fixed: Condition
  /// What tuning begins with; its pooled vector stays.
  var start: Condition
  /// J.
  var innerSteps: Int
  var reduction = LossReduction.mean
  var weightDecay = 0.0
  var learningRate: @Sendable (_ level: Int) -> Double
  /// No further update of a level after one whose loss was below this.
  var stopsBelow: @Sendable (_ level: Int) -> Double = { _ in -.infinity }

  /// Weight of the tuned prediction in the guided one.
  private var share: Double { side == .conditional ? guidance.scale : 1 - guidance.scale }
  /// Updates of a level at most: what has no weight has no gradient.
  var updates: Int { Self.updates(innerSteps, share: share) }

  private static func updates(_ innerSteps: Int, share: Double) -> Int { share == 0 ? 0 : innerSteps }

  /// Gradients of a run over `levels`, at most.
  static func gradients(_ innerSteps: Int, levels: Int, _ side: Side, _ guidance: Guidance) -> Int {
    levels * updates(innerSteps, share: side == .conditional ? guidance.scale : 1 - guidance.scale)
  }

  /// Tunes along `path`, y at the levels 0 … N.
  ///
  /// The journal has under the method's name what is under way after every update, and every finished level appended.
  ///
  /// - Returns: the embeddings by level.
  /// - Throws: `EditError.gradientNotFinite`, `EditError.nonFinite`; `EditError.missing` where there is no derivative.
  func run(along path: [Latent], on grid: SamplingGrid, in context: EditContext) async throws -> [Int:
    HostTensor]
  {
    let (model, observer, journal) = (context.diffusion, context.observer, context.journal)
    if updates > 0, context.derivative == nil {
      throw EditError.missing(method: method, need: "a network that can be differentiated")
    }
    let top = path.count - 1
    let told = try await journal.progress(of: method)
    var finished: [Int: FinishedLevel] = [:]
    for entry in told.appended {
      if let level = FinishedLevel(entry) { finished[level.level] = level }
    }
    var state = TuningState(told.kept) ?? TuningState(level: top, x: path[top], context: start.context)
    for level in stride(from: top, to: state.level, by: -1) {
      finished[level]?.losses.forEach(observer.loss)
    }
    state.losses.forEach(observer.loss)

    while state.level > 0 {
      let level = state.level
      let step = grid.transition(from: level)
      while state.losses.count < updates, !state.losses.contains(where: { $0 < stopsBelow(level) }) {
        try await update(&state, step, to: path[level - 1], top: top, in: context)
        try await journal.keep(state.entry, of: method)
      }
      let eps = try await noise(at: state, step, model)
      let x = try step.mean(state.x, eps, eta: 0).checked(method, step: top - level + 1)
      observer("rec_traj", x)
      observer.matrix("embeddings", state.context)
      observer.count("counts", state.losses.count)
      if finished[level] == nil {
        let done = FinishedLevel(level: level, embedding: state.context, losses: state.losses)
        try await journal.append(done.entry, to: method)
        finished[level] = done
      }
      state = TuningState(level: level - 1, x: x, context: state.context)
      try await journal.keep(state.entry, of: method)
    }
    observer("reconstruction", state.x)
    return finished.mapValues(\.embedding)
  }

  /// One update of a level.
  private func update(
    _ state: inout TuningState, _ step: Transition, to y: Latent, top: Int, in context: EditContext
  ) async throws {
    let (model, t) = (context.diffusion, step.timestep)
    if state.fixed == nil, share != 1 {
      state.fixed = try await model.unet.noise([NoiseQuery(state.x, timestep: t, fixed)])[0]
    }
    let loss = step.loss(
      state.x, to: y, fixed: state.fixed, share: share, reduction, predicting: model.schedule.prediction)
    let query = NoiseQuery(state.x, timestep: t, start.with(context: state.context))
    let found = try await context.derivative!.contextGradient(query, of: loss)
    if state.level == top, state.losses.isEmpty { context.observer.matrix("first_grad", found.gradient) }
    var optimizer = Adam(learningRate: learningRate(state.level), weightDecay: weightDecay)
    if let entry = state.optimizer { optimizer.read(entry, names: [TuningState.embedding]) }
    var values = [TuningState.embedding: state.context]
    try optimizer.step(
      &values, [TuningState.embedding: found.gradient], loss: found.loss, method: method,
      step: top - state.level + 1)
    state.context = values[TuningState.embedding]!
    var entry = JournalEntry()
    optimizer.write(to: &entry)
    state.optimizer = entry
    state.losses.append(found.loss)
    context.observer.loss(found.loss)
  }

  /// ε̃ with the embedding as it is, the same bits that sampling with it gives.
  private func noise(at state: TuningState, _ step: Transition, _ model: Diffusion) async throws -> Latent {
    let tuned = start.with(context: state.context)
    let (conditional, unconditional) = side == .conditional ? (tuned, fixed) : (fixed, tuned)
    guard let known = state.fixed, guidance.evaluations == 2 else {
      return try await model.guided([
        GuidedQuery(state.x, timestep: step.timestep, conditional, guidance, over: unconditional)
      ])[0]
    }
    let eps = try await model.unet.noise([NoiseQuery(state.x, timestep: step.timestep, tuned)])[0]
    return side == .conditional
      ? guidance.combine(unconditional: known, conditional: eps)
      : guidance.combine(unconditional: eps, conditional: known)
  }
}

/// Where tuning is: the level, the latent on it, the embedding so far.
private struct TuningState {
  static let embedding = "embedding"

  var level: Int
  var x: Latent
  var context: HostTensor
  /// The prediction that is not tuned, once it is known.
  var fixed: Latent?
  /// State of the level's Adam; nil before its first step.
  var optimizer: JournalEntry?
  /// Of the level's updates.
  var losses: [Double] = []

  init(level: Int, x: Latent, context: HostTensor) {
    (self.level, self.x, self.context) = (level, x, context)
  }

  init?(_ entry: JournalEntry?) {
    guard let entry, let level = entry.numbers["level"].flatMap(Int.init(exactly:)),
      let x = entry.tensors["x"], let context = entry.tensors[Self.embedding]
    else { return nil }
    self.init(level: level, x: Latent(x), context: context)
    fixed = entry.tensors["fixed"].map { Latent($0) }
    losses = entry.losses
    if entry.numbers["adam.k"] != nil { optimizer = entry }
  }

  var entry: JournalEntry {
    var entry = optimizer ?? JournalEntry()
    entry.numbers["level"] = Double(level)
    entry.tensors["x"] = x.tensor
    entry.tensors[Self.embedding] = context
    entry.tensors["fixed"] = fixed?.tensor
    entry.losses = losses
    return entry
  }
}

/// A level that is done.
private struct FinishedLevel {
  var level: Int
  var embedding: HostTensor
  var losses: [Double]

  init(level: Int, embedding: HostTensor, losses: [Double]) {
    (self.level, self.embedding, self.losses) = (level, embedding, losses)
  }

  init?(_ entry: JournalEntry) {
    guard let level = entry.numbers["level"].flatMap(Int.init(exactly:)),
      let embedding = entry.tensors[TuningState.embedding]
    else { return nil }
    self.init(level: level, embedding: embedding, losses: entry.losses)
  }

  var entry: JournalEntry {
    var entry = JournalEntry(
      numbers: ["level": Double(level)], tensors: [TuningState.embedding: embedding])
    entry.losses = losses
    return entry
  }
}

extension JournalEntry {
  /// A list of numbers as `loss.0`, `loss.1`, …
  var losses: [Double] {
    get {
      var losses: [Double] = []
      while let loss = numbers["loss.\(losses.count)"] { losses.append(loss) }
      return losses
    }
    set { for (i, loss) in newValue.enumerated() { numbers["loss.\(i)"] = loss } }
  }
}

extension Condition {
  /// The same condition with other text states.
  func with(context: HostTensor) -> Condition {
    var copy = self
    copy.context = context
    return copy
  }
}
