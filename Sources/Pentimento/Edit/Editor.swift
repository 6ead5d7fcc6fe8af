import Editing
import FoundationEssentials
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
  /// Bytes that a stage may hold; nil for no limit.
  public let budget: Int?
  let pool: ThreadPool

  public init(model: Model, threads: Int, budget: Int? = nil) {
    self.model = model
    self.threads = threads
    self.budget = budget
    pool = ThreadPool(threads: threads)
  }

  var stages: Stages { Stages(model: model, threads: threads, budget: budget) }

  // MARK: Plan

  /// What `run` will hold in memory. Computes nothing.
  ///
  /// - Parameter picturePixels: size of the picture that the result is scaled back to.
  public func plan(_ request: EditRequest, picturePixels: Int) throws -> MemoryPlan {
    let entry = try MethodEntry.named(request.method)
    let prepared = try entry.prepare(request, on: model.schedule, model: model.defaults)
    return try plan(request, prepared, picturePixels: picturePixels)
  }

  private func plan(
    _ request: EditRequest, _ prepared: PreparedMethod, picturePixels: Int
  ) throws -> MemoryPlan {
    try checkSize(request)
    let (width, height) = (request.width, request.height)
    let latentBytes = width / 8 * (height / 8) * AutoencoderConfiguration.latentChannels * 4
    let conditionBytes = 3 * model.tokens * model.unet.configuration.contextWidth * 4
    // The method's own latents: the one it works on, its queries and their answers.
    let working = 8 * latentBytes
    let stored = prepared.method.storageBytes(height: height / 8, width: width / 8, channels: 4)

    var rows: [MemoryPlan.Stage] = []
    for index in model.textEncoders.indices {
      rows.append(.init("text", try stages.textEncoder(index).plan, stored: conditionBytes))
    }
    // The picture as Float32, once as the input and once while it is handed over.
    let signalBytes = 2 * width * height * 3 * 4
    if request.picture != nil {
      let encoder = try stages.encoder(width: width, height: height).plan
      rows.append(.init("encode", encoder, stored: conditionBytes + signalBytes))
    }
    let noise = try stages.noise(
      width: width, height: height, attentionMaps: prepared.readsAttention
    ).plan
    rows.append(.init("denoise", noise, stored: conditionBytes + working + stored))
    let decoder = try stages.decoder(width: width, height: height).plan
    rows.append(.init("decode", decoder, stored: conditionBytes + signalBytes))
    return MemoryPlan(
      stages: rows, pictures: picturePixels * 3 + 2 * width * height * 3, baseline: ProcessMemory.resident)
  }

  private func checkSize(_ request: EditRequest) throws {
    let multiple = model.sizeMultiple
    guard request.width > 0, request.height > 0, request.width % multiple == 0,
      request.height % multiple == 0,
      request.picture.map({ $0.width == request.width && $0.height == request.height }) ?? true
    else {
      throw RequestError.pictureSize(width: request.width, height: request.height, multiple: multiple)
    }
  }

  /// Refuses a request that cannot be run as it stands. Computes nothing.
  ///
  /// - Throws: `RequestError`, `EditError`.
  public func check(_ request: EditRequest) throws {
    try checkSize(request)
    _ = try MethodEntry.named(request.method).prepare(request, on: model.schedule, model: model.defaults)
  }

  // MARK: Run

  /// Runs a request.
  ///
  /// - Parameters:
  ///   - progress: told evaluations done and planned.
  /// - Throws: `RequestError` or `EditError` for a request that cannot be run, before anything is computed;
  ///   `CancellationError` between two evaluations.
  public func run(
    _ request: EditRequest,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) async throws -> EditResult {
    let clock = ContinuousClock.now
    let entry = try MethodEntry.named(request.method)
    let prepared = try entry.prepare(request, on: model.schedule, model: model.defaults)
    let plan = try plan(request, prepared, picturePixels: 0)
    guard plan.peak <= ProcessMemory.machine else {
      throw RequestError.overMemory(needed: plan.peak, machine: ProcessMemory.machine)
    }

    let texts = [request.prompt, request.sourcePrompt].compactMap { $0 } + request.concepts.map(\.text)
    let encoded = try encode(
      texts, negativePrompt: request.negativePrompt, width: request.width, height: request.height)
    var inputs = EditInputs(
      height: request.height / 8, width: request.width / 8, channels: AutoencoderConfiguration.latentChannels)
    inputs.targetCondition = request.prompt.map { _ in encoded.prompts[0] }
    inputs.sourceCondition = request.sourcePrompt.map { _ in encoded.prompts[request.prompt == nil ? 0 : 1] }
    inputs.conceptConditions = Array(encoded.prompts.suffix(request.concepts.count))
    inputs.mask = request.mask
    if let picture = request.picture {
      try Task.checkCancellation()
      inputs.source = try await codec.encode(picture.signal).mean
    }

    let remarks = Remarks(mask: request.mask)
    let (latent, evaluations) = try await denoise(
      prepared, inputs, empty: encoded.empty, request, observer: remarks.observer,
      progress: { progress($0, prepared.evaluations) })
    try Task.checkCancellation()
    let picture = Picture(signal: try await codec.decode(latent))
    return EditResult(
      picture: picture, mask: remarks.mask,
      report: report(
        request, prepared, plan, evaluations: evaluations, cut: encoded.cut, remarks,
        seconds: (ContinuousClock.now - clock).seconds))
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
    return (latent, await network.evaluations)
  }

  /// - Parameter taps: keep every value that the network's definition names.
  func noiseNetwork(
    width: Int, height: Int, attentionMaps: Bool = false, taps: Bool = false,
    onEvaluation: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws -> NoiseNetwork {
    try NoiseNetwork(
      stages.noise(width: width, height: height, attentionMaps: attentionMaps, taps: taps), model: model,
      pool: pool,
      onEvaluation: onEvaluation)
  }

  var codec: PictureCodec { PictureCodec(model: model, threads: threads, budget: budget, pool: pool) }

  private func report(
    _ request: EditRequest, _ prepared: PreparedMethod, _ plan: MemoryPlan, evaluations: Int, cut: [String],
    _ remarks: Remarks, seconds: Double
  ) -> EditReport {
    let parameters = prepared.method.parameters.map { ($0.name, $0.valueText) }
    return EditReport(
      method: prepared.name, model: model.name,
      parameters: Dictionary(parameters, uniquingKeysWith: { a, b in "\(a), \(b)" }),
      settingsFrom: Dictionary(
        uniqueKeysWithValues: prepared.sources.map { ($0.key.rawValue, $0.value.rawValue) }),
      concepts: request.concepts.map { ($0.direction == .add ? "+" : "-") + $0.text },
      prompt: request.prompt, sourcePrompt: request.sourcePrompt, negativePrompt: request.negativePrompt,
      seed: request.seed, generator: SeededTape.generator, width: request.width, height: request.height,
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
