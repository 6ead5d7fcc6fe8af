import Tensors

/// Trains a network that edits latents in one pass, with delta denoising score as its only teacher
/// (Hertz, Aberman & Cohen-Or 2023, section 5).
///
///     z = G(ẑ, k);   g = ε̃(a_t·z + s_t·n; target_k) − ε̃(a_t·ẑ + s_t·n; source_k),   both with weight ω
///     L = λ/(h·w)·Σ z·g + λ_id·mean (z − ẑ)²                            g without a gradient of its own
///     ω(s)    = 1 + (ω_max − 1)·min(1, s/S_w)                           guidance is warmed up
///     λ_id(s) = λ₁ + (λ₀ − λ₁)·½(1 + cos(π·min(1, s/S_w)))              the identity fades
///
/// by AdamW; s counts steps from 0, S_w is half of them. The authors released no code: the numbers are ours. What their
/// paper takes away in its ablations is a switch each.
public struct TranslatorTraining: Sendable {
  public var steps = 1000
  /// ω_max.
  public var guidance = 7.5
  /// S_w as a part of the steps.
  public var warmup = 0.5
  /// λ of the score.
  public var scoreWeight = 1.0
  /// λ₀ and λ₁.
  public var identityWeight = 3.0
  public var lastIdentityWeight = 0.1
  public var learningRate = 1e-4
  public var weightDecay = 1e-2
  /// B: latents whose gradients make one step.
  public var batch = 1
  /// Timesteps that noise is drawn for.
  public var firstTimestep = 50
  public var lastTimestep = 948

  // The paper's ablations.
  /// Off: ω is ω_max from the first step on; with a ω_max of 1 the single fixed guidance of plain prompts.
  public var warmsUpGuidance = true
  /// Off: nothing holds z to ẑ.
  public var keepsIdentity = true
  /// Off: SDS, the noise itself in the place of the source's prediction.
  public var subtractsSource = true

  public init() {}

  /// Key in a journal, and name in errors.
  public static let name = "train-translator"

  /// One thing to learn: from what to what.
  public struct Task: Sendable {
    public var source: Condition
    public var target: Condition
    public init(source: Condition, target: Condition) { (self.source, self.target) = (source, target) }
  }

  /// What one step is.
  package struct Schedule: Sendable, Equatable {
    package var guidance: Double
    package var identityWeight: Double
  }

  /// ω and λ_id of step s.
  package func schedule(_ step: Int) -> Schedule {
    let part = warmup > 0 ? min(1, Double(step) / (warmup * Double(steps))) : 1
    let fading = (1 + PortableMath.cosine(halfTurns: part)) / 2
    return Schedule(
      guidance: warmsUpGuidance ? 1 + (guidance - 1) * part : guidance,
      identityWeight: keepsIdentity
        ? lastIdentityWeight + (identityWeight - lastIdentityWeight) * fading : 0)
  }

  /// The task of step s: one after the other.
  package func task(_ step: Int, of count: Int) -> Int { step % count }

  /// The latent of sample i = s·B + b: one after the other, and every time that tasks and latents have come round
  /// together one further, so that each task meets each latent.
  package func latent(_ sample: Int, of count: Int, tasks: Int) -> Int {
    var (a, b) = (count, tasks * batch)
    while b > 0 { (a, b) = (b, a % b) }
    let round = count / a * tasks * batch
    return (sample + sample / round) % count
  }

  /// Evaluations of a whole training.
  public var evaluations: Int {
    (0..<steps).reduce(0) { sum, step in
      sum + batch * (subtractsSource ? 2 : 1) * Guidance(schedule(step).guidance).evaluations
    }
  }

  /// Throws `EditError.parameter` for a value out of its bounds.
  public func validate() throws(EditError) {
    let bounds: [(String, Double, Bounds)] = [
      ("steps", Double(steps), .within(1...10_000_000)), ("cfg-scale", guidance, .any),
      ("warmup", warmup, .unit), ("score-weight", scoreWeight, .atLeast(0)),
      ("identity-weight", identityWeight, .atLeast(0)),
      ("last-identity-weight", lastIdentityWeight, .atLeast(0)), ("learning-rate", learningRate, .atLeast(0)),
      ("weight-decay", weightDecay, .atLeast(0)), ("batch", Double(batch), .within(1...4096)),
      ("first-timestep", Double(firstTimestep), .within(0...999)),
      ("last-timestep", Double(lastTimestep), .within(Double(min(max(firstTimestep, 0), 999))...999)),
    ]
    for (name, value, bounds) in bounds where !bounds.contains(value) {
      throw .parameter(method: Self.name, name: name, value: "\(value)", allowed: "\(bounds)")
    }
  }

  /// Trains `translator` on the latents of pictures that show the tasks' sources.
  ///
  /// Draws: 2i the timestep of sample i, 2i + 1 its noise.
  /// - Parameters:
  ///   - values: what training begins with, by the translator's names.
  ///   - steps: to do now, where that is not all of them: for tests and traces.
  ///   - journal: has the training under `name`.
  /// - Returns: the trained values; the translator has them too.
  /// - Throws: `EditError.missing` without latents or tasks, `EditError.gradientNotFinite` before anything is changed
  ///   by it; what the networks throw.
  public func run(
    on latents: [Latent], tasks: [Task], translator: some TrainableTranslator,
    values: [String: HostTensor], model: Diffusion, tape: any NoiseTape, until limit: Int? = nil,
    observer: EditObserver = .none, journal: any EditJournal = NoJournal()
  ) async throws -> [String: HostTensor] {
    try validate()
    guard !latents.isEmpty else { throw EditError.missing(method: Self.name, need: "pictures to learn from") }
    guard !tasks.isEmpty else { throw EditError.missing(method: Self.name, need: "a task") }
    var progress = try await TrainingProgress.resumed(
      from: TrainingProgress(
        values: values, optimizer: Adam(learningRate: learningRate, weightDecay: weightDecay)),
      Self.name, in: journal, translator, observer)
    while progress.steps < min(limit ?? steps, steps) {
      try _Concurrency.Task.checkCancellation()
      let s = progress.steps
      let (task, schedule) = (task(s, of: tasks.count), schedule(s))
      var (loss, gradients) = (0.0, [String: HostTensor]())
      for sample in s * batch..<(s + 1) * batch {
        let source = latents[latent(sample, of: latents.count, tasks: tasks.count)]
        let z = try await translator.translate(source, task: task)
        let t = try tape.integer(2 * sample, in: firstTimestep...lastTimestep)
        let n = try tape.normal(2 * sample + 1, like: z)
        let g = try await model.scoreDistillation(
          of: z, toward: tasks[task].target,
          relativeTo: subtractsSource ? (source, tasks[task].source) : nil, timestep: t, noise: n,
          guidance: schedule.guidance)
        let share = self.loss(z, source, g, schedule)
        observer("grad_out_\(s)", share.seed)
        loss += share.loss
        let found = try await translator.gradients(source, task: task, seed: share.seed)
        gradients.merge(found) { $0.adding($1) }
      }
      try await progress.step(gradients, loss: loss, Self.name, in: journal, translator, observer)
    }
    for (name, value) in progress.values { observer.tensor("after.\(name)", value) }
    return progress.values
  }

  /// A sample's share of L, and ∂L/∂z.
  private func loss(
    _ z: Latent, _ source: Latent, _ g: Latent, _ schedule: Schedule
  ) -> (loss: Double, seed: Latent) {
    let (cells, values) = (Double(batch * z.height * z.width), Double(batch * z.values.count))
    let (score, identity) = (scoreWeight / cells, schedule.identityWeight / values)
    var loss = 0.0
    for i in z.values.indices {
      let (moved, g) = (Double(z.values[i]) - Double(source.values[i]), Double(g.values[i]))
      loss += score * Double(z.values[i]) * g + identity * moved * moved
    }
    return (loss, .combination([(score, g), (2 * identity, z), (-2 * identity, source)]))
  }
}

extension HostTensor {
  fileprivate func adding(_ other: HostTensor) -> HostTensor {
    HostTensor(shape: shape, values: zip(values, other.values).map { $0 + $1 })
  }
}
