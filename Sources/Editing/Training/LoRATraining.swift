import Tensors

/// Per-picture LoRA: teaches the side branches of the attention layers to draw one photo, so that edits keep its
/// identity (Hu et al. 2022; as SDE-Drag and DragDiffusion use it, Nie et al. 2024).
///
///     y = W·x + B·(A·x),   A ~ N(0, 1/rank²), B = 0 at the start
///     draw n and t;  x_t = a_t·x₀ + s_t·n;   L = mean (o − target)²
///     target = n for a network that predicts noise, a_t·n − s_t·x₀ for velocity
///
/// with one prompt, without guidance, by AdamW. The first step moves B alone: A's gradient is 0 while B is.
public struct LoRATraining: Sendable {
  public var steps = 100
  /// 16 in the released demo and in diffusers, 4 in the benchmark's script.
  public var rank = 16
  public var learningRate = 2e-4
  public var weightDecay = 1e-2

  public init() {}

  /// The released benchmark script's.
  public static let benchmark: LoRATraining = {
    var training = LoRATraining()
    training.rank = 4
    return training
  }()

  /// Key in a journal, and name in errors.
  public static let name = "train-lora"

  /// Throws `EditError.parameter` for a value out of its bounds.
  public func validate() throws(EditError) {
    func require(_ name: String, _ value: Double, _ bounds: Bounds) throws(EditError) {
      guard bounds.contains(value) else {
        throw .parameter(method: Self.name, name: name, value: "\(value)", allowed: "\(bounds)")
      }
    }
    try require("steps", Double(steps), .within(1...1_000_000))
    try require("rank", Double(rank), .within(1...1024))
    try require("learning-rate", learningRate, .atLeast(0))
    try require("weight-decay", weightDecay, .atLeast(0))
  }

  /// A and B as training begins.
  ///
  /// Draws: one for every A, `[1, 1, rank, in]`, in the order of their names; they come before the steps' draws.
  /// - Parameter parameters: of the network, names ending in `lora_A.weight` and `lora_B.weight`.
  /// - Returns: the factors, and the number of draws that they took.
  public func initialFactors(
    _ parameters: [(name: String, shape: [Int])], tape: any NoiseTape
  ) throws -> (factors: [String: HostTensor], draws: Int) {
    var (factors, draw) = ([String: HostTensor](), 0)
    for (name, shape) in parameters.sorted(by: { $0.name < $1.name }) {
      var factor = HostTensor(shape: shape)
      if name.hasSuffix("lora_A.weight") {
        let noise = try tape.normal(draw, count: 1, height: shape[0], width: shape[1], channels: 1)[0]
        factor.values = noise.values.map { Float(Double($0) / Double(rank)) }
        draw += 1
      }
      factors[name] = factor
    }
    return (factors, draw)
  }

  /// Draws of one step: the posterior's noise where it is sampled, then n, then t in 0…999.
  ///
  /// - Parameters:
  ///   - factors: what training begins with.
  ///   - tape: without the draws that the factors took.
  ///   - journal: has the training under `name`.
  /// - Returns: the trained factors by name; the network has them too.
  /// - Throws: `EditError.gradientNotFinite` before anything is changed by it; what the network throws.
  public func run(
    _ photo: Posterior, prompt: Condition, network: some TrainableNoisePredictor,
    factors: [String: HostTensor], schedule: NoiseSchedule, tape: any NoiseTape,
    observer: EditObserver = .none, journal: any EditJournal = NoJournal()
  ) async throws -> [String: HostTensor] {
    try validate()
    var progress = try await TrainingProgress.resumed(
      from: TrainingProgress(
        values: factors, optimizer: Adam(learningRate: learningRate, weightDecay: weightDecay)),
      Self.name, in: journal, network, observer)
    let draws = photo.deviation == nil ? 2 : 3
    while progress.steps < steps {
      try Task.checkCancellation()
      let first = draws * progress.steps
      let x0 =
        photo.deviation == nil ? photo.mean : photo.sample(try tape.normal(first, like: photo.mean))
      let n = try tape.normal(first + draws - 2, like: x0)
      let t = try tape.integer(first + draws - 1, in: 0...NoiseSchedule.trainingSteps - 1)
      let answer = try await network.gradients(
        NoiseQuery(schedule.diffuse(x0, to: t, n), timestep: t, prompt),
        of: schedule.denoisingLoss(of: x0, n, timestep: t))
      try await progress.step(
        answer.gradients, loss: answer.loss, Self.name, in: journal, network, observer)
    }
    for (name, value) in progress.values { observer.tensor("after.\(name)", value) }
    return progress.values
  }
}

extension NoiseSchedule {
  /// mean (o − target)² of the raw output o: what the network itself was trained with (Ho et al. 2020, eq. 14;
  /// Salimans & Ho 2022).
  func denoisingLoss(of x0: Latent, _ noise: Latent, timestep t: Int) -> SquaredLoss {
    let base: Latent =
      switch prediction {
      case .epsilon: -1 * noise
      case .velocity: .combination([(-signal(t), noise), (self.noise(t), x0)])
      }
    return SquaredLoss(scale: 1, base: base, weight: 1 / Double(x0.values.count))
  }
}
