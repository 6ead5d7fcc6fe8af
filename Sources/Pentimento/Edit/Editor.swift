import Editing
import Kernels
import Runtime
import StableDiffusion
import Tensors

/// Plans and runs edits on one model.
///
///     texts ─► conditions        picture ─► latent        method loop over the noise network        latent ─► picture
///
/// Every stage gives its memory back before the next begins.
public struct Editor: Sendable {
  public let model: Model
  public let threads: Int
  /// Bytes that the process may hold in all; nil for no limit. Where the weights do not fit, they are read again and
  /// again; the result is the same.
  public let maximumMemory: Int?
  /// What the process held when the editor was made.
  let baseline: Int
  /// What `maximumMemory` leaves for a network beside everything else; known once a request is planned.
  private var networkBudget: Int?
  let pool: ThreadPool

  /// - Parameter maximumMemory: what the kernel would let the process take, unless something else is said.
  public init(model: Model, threads: Int, maximumMemory: Int? = ProcessMemory.reachable) {
    self.model = model
    self.threads = threads
    self.maximumMemory = maximumMemory
    pool = ThreadPool(threads: threads)
    baseline = ProcessMemory.resident
  }

  var stages: Stages { Stages(model: model, threads: threads, budget: networkBudget) }

  /// The request as it will be run: checked, and completed by its inversion.
  func prepare(_ request: EditRequest) throws -> (EditRequest, PreparedMethod) {
    let entry = try MethodEntry.named(request.method)
    try entry.checkInversion(of: request)
    let request = try request.completed(for: model)
    return (request, try entry.prepare(request, on: model.schedule, model: model.defaults))
  }

  // MARK: Run

  /// Runs a request.
  ///
  /// - Parameters:
  ///   - pictures: what the caller holds beside the run; only counted.
  ///   - progress: told evaluations done and planned.
  /// - Throws: what `plan` throws, before anything is computed; then `EditError` for a run that leads nowhere,
  ///   `ModelError.notFinite` for damaged weights, `WeightFileError` where weights cannot be read any more, and
  ///   `CancellationError` at the latest after one operator.
  public func run(
    _ request: EditRequest, pictures: PictureMemory = PictureMemory(),
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) async throws -> EditResult {
    let (request, prepared) = try prepare(request)
    let (plan, networkBudget) = try plan(request, prepared, pictures)
    var planned = self
    planned.networkBudget = networkBudget
    return try await planned.run(request, prepared, plan, progress: progress)
  }

  private func run(
    _ request: EditRequest, _ prepared: PreparedMethod, _ plan: MemoryPlan,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> EditResult {
    let clock = ContinuousClock.now

    let texts = [request.prompt, request.sourcePrompt].compactMap { $0 } + request.concepts.map(\.text)
    let encoded = try encode(
      texts, negativePrompt: request.negativePrompt, width: request.width, height: request.height)
    var inputs = EditInputs(
      height: request.height / 8, width: request.width / 8, channels: AutoencoderConfiguration.latentChannels)
    inputs.targetCondition = request.prompt.map { _ in encoded.prompts[0] }
    inputs.sourceCondition = request.sourcePrompt.map { _ in encoded.prompts[request.prompt == nil ? 0 : 1] }
    inputs.conceptConditions = Array(encoded.prompts.suffix(request.concepts.count))
    inputs.mask = request.mask
    inputs.inversion = request.inversion?.inversion
    if let inversion = inputs.inversion {
      inputs.source = inversion.states[0]
    } else if let picture = request.picture {
      try Task.checkCancellation()
      inputs.source = try await codec.encode(picture.signal).mean
    }

    let remarks = Remarks(mask: request.mask, keepsInversion: request.keepsInversion)
    let (latent, evaluations) = try await denoise(
      prepared, inputs, empty: encoded.empty, request, observer: remarks.observer,
      progress: { progress($0, prepared.evaluations) })
    try Task.checkCancellation()
    let picture = Picture(signal: try await codec.decode(latent))
    return EditResult(
      picture: picture, mask: remarks.mask, inversion: try saved(remarks.inversion, request),
      report: report(
        request, prepared, plan, evaluations: evaluations, cut: encoded.cut, remarks,
        seconds: (ContinuousClock.now - clock).seconds))
  }

  /// The inversion with what it is tied to.
  private func saved(_ inversion: Inversion?, _ request: EditRequest) throws -> SavedInversion? {
    guard let inversion, let picture = request.picture else { return nil }
    return SavedInversion(inversion: inversion, origin: try .init(request, picture, model))
  }

  /// The noise network lives as long as this call.
  private func denoise(
    _ prepared: PreparedMethod, _ inputs: EditInputs, empty: Condition, _ request: EditRequest,
    observer: EditObserver, progress: @escaping @Sendable (Int) -> Void
  ) async throws -> (Latent, evaluations: Int) {
    let network = try noiseNetwork(
      width: request.width, height: request.height, attentionMaps: prepared.readsAttention,
      onEvaluation: progress)
    let diffusion = Diffusion(unet: network, schedule: model.schedule, empty: empty)
    let latent = try await prepared.run(inputs, diffusion, SeededTape(seed: request.seed), observer)
    // Latents of pictures stay within a few units.
    let limit: Float = 1e4
    guard latent.isWithin(limit) else { throw EditError.noPicture(method: prepared.name, limit: limit) }
    return (latent, await network.evaluations)
  }

  /// - Parameter taps: keep every value that the network's definition names.
  package func noiseNetwork(
    width: Int, height: Int, attentionMaps: Bool = false, taps: Bool = false,
    onEvaluation: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws -> NoiseNetwork {
    try NoiseNetwork(
      stages.noise(width: width, height: height, attentionMaps: attentionMaps, taps: taps), model: model,
      pool: pool, onEvaluation: onEvaluation)
  }

  package var codec: PictureCodec { PictureCodec(stages: stages, pool: pool) }

  private func report(
    _ request: EditRequest, _ prepared: PreparedMethod, _ plan: MemoryPlan, evaluations: Int, cut: [String],
    _ remarks: Remarks, seconds: Double
  ) -> EditReport {
    let parameters = prepared.method.parameters.map { ($0.name, $0.valueText) }
    return EditReport(
      method: prepared.name, model: model.name, lora: model.adapters,
      parameters: Dictionary(parameters, uniquingKeysWith: { a, b in "\(a), \(b)" }),
      settingsFrom: Dictionary(
        uniqueKeysWithValues: prepared.sources.map { ($0.key.rawValue, $0.value.rawValue) }),
      stepFactor: (prepared.method as? any ScoreDescent)?.stepFactor(
        height: request.height / 8, width: request.width / 8),
      concepts: request.concepts.map { ($0.direction == .add ? "+" : "-") + $0.text },
      prompt: request.prompt, sourcePrompt: request.sourcePrompt, negativePrompt: request.negativePrompt,
      seed: request.seed, generator: SeededTape.generator,
      inversion: prepared.method is any InvertingMethod ? request.inversionUse : nil, width: request.width,
      height: request.height,
      plannedEvaluations: prepared.evaluations, evaluations: evaluations, threads: threads,
      instructionSet: pool.kernels.name, cutPrompts: cut, warnings: remarks.warnings,
      mask: request.mask != nil ? "given" : remarks.mask != nil ? "found" : nil, plannedPeakBytes: plan.peak,
      peakBytes: ProcessMemory.peak, seconds: seconds)
  }
}

extension Duration {
  fileprivate var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
