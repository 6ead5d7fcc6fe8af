import Editing
import Files
import Pictures
import Runtime
import StableDiffusion
import Tensors

/// The training of a LoRA on one picture, ready to run: checked, its networks planned, its memory and its work known.
///
///     prompt ─► condition     picture ─► posterior     steps over the noise network with side branches ─► file
public struct LoRAJob: Sendable {
  public let editor: Editor
  public let request: LoRARequest
  /// What a run will hold in memory.
  public let plan: MemoryPlan
  let geometry: Geometry
  let text: [Stage]
  let encoder: Stage
  /// The noise network whose side branches are trained.
  let noise: Stage
  /// Of the prompt.
  let contexts: Int

  /// Gradients of a run, each a pass forward and backward.
  public var gradients: Int { request.training.steps }
  /// Pixels at which the networks work.
  public var workingSize: Extent { geometry.padded }
  public var seed: UInt64 { request.seed ?? 42 }

  /// Trains.
  ///
  /// - Parameters:
  ///   - journal: as `EditJob.run` has it.
  ///   - progress: told gradients done and planned.
  /// - Throws: `PictureFileError`, `JournalError`, `EditError.gradientNotFinite`, and what networks throw.
  public func run(
    journal: FileJournal? = nil,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) async throws -> LoRAResult {
    do {
      return try await run(journal, tie: { try await journal?.tie(to: $0) }, progress)
    } catch {
      await journal?.leave()
      throw error
    }
  }

  /// - Parameter tie: told what the factors depend on, before anything is computed.
  func run(
    _ journal: (any EditJournal)?, tie: (RunIdentity) async throws -> Void,
    _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> LoRAResult {
    let clock = ContinuousClock.now
    let (thread, watch) = (try NetworkThread(), RunWatch.current)
    watch?.stage("read picture")
    try await thread.run { try editor.model.verify() }
    let picture = try await thread.run { try geometry.workingPicture(reading: request.picture) }
    let origin = try await thread.run { try self.origin(of: picture) }
    try await tie(origin.identity)
    watch?.stage("text")
    let encoded = try await thread.run {
      try PromptEncoder(
        model: editor.model, pool: editor.pool, stages: text, contexts: contexts
      ).encode([request.texts], width: workingSize.width, height: workingSize.height)[0]
    }
    for text in encoded.cut { watch?.cut(text) }
    watch?.stage("encode")
    let photo = try await photo(picture, on: thread)
    try Task.checkCancellation()

    let total = gradients
    watch?.stage("train")
    let network = try await thread.run {
      try NoiseNetwork(
        noise, model: editor.model, pool: editor.pool, on: thread,
        onEvaluation: { progress($0.gradients, total) })
    }
    let (tape, losses) = (SeededTape(seed: seed), Losses())
    let start = try request.training.initialFactors(network.parameters, tape: tape)
    let factors = try await request.training.run(
      photo, prompt: encoded.prompts[0], network: network, factors: start.factors,
      schedule: editor.model.schedule, tape: tape.dropFirst(start.draws), observer: losses.observer,
      journal: journal ?? NoJournal())
    return LoRAResult(
      factors: factors, origin: origin,
      report: report(
        await network.work, losses.values, cut: encoded.cut,
        seconds: (ContinuousClock.now - clock).seconds))
  }

  private func photo(_ picture: Picture, on thread: NetworkThread) async throws -> Posterior {
    let codec = PictureCodec(
      model: editor.model, pool: editor.pool, encoder: { _, _ in encoder },
      decoder: { _, _ in preconditionFailure("nothing is decoded") }, thread: thread)
    let (mean, logVariance) = try await codec.encode(picture.signal)
    guard request.samplesPosterior else { return Posterior(mean: mean) }
    return Posterior(
      mean: mean, logVariance: logVariance, scale: Double(editor.model.autoencoder.scalingFactor))
  }
}

extension LoRAJob {
  /// Every setting by the name that the command has for it.
  var parameters: [String: String] {
    let t = request.training
    return [
      "steps": "\(t.steps)", "rank": "\(t.rank)", "learning-rate": "\(t.learningRate)",
      "weight-decay": "\(t.weightDecay)", "posterior": request.samplesPosterior ? "sample" : "mean",
    ]
  }

  /// What the factors depend on.
  func origin(of picture: Picture) throws -> LoRAOrigin {
    var run = try editor.identity(seed: seed, LoRATraining.name, parameters)
    run.tie("prompt", request.prompt, shown: "\"\(request.prompt)\"")
    // Files that were trained before there were others have none.
    if request.promptSyntax != .plain { run.tie("prompt syntax", request.promptSyntax.rawValue) }
    run.tie("working size", "\(workingSize)")
    run.tie("picture", SHA256.hex(of: picture.pixels), shown: "a picture")
    return LoRAOrigin(identity: run)
  }

  private func report(
    _ work: NetworkWork, _ losses: [Double], cut: [String], seconds: Double
  ) -> TrainingReport {
    TrainingReport(
      training: LoRATraining.name, model: editor.model.name, lora: editor.model.adapters,
      parameters: parameters.mapValues(ReportedValue.init(parsing:)), prompt: request.prompt, pictures: 1,
      seed: seed,
      generator: SeededTape.generator, width: workingSize.width, height: workingSize.height,
      trained: noise.parameterCount, plannedEvaluations: gradients, evaluations: work.evaluations,
      plannedGradients: gradients,
      gradients: work.gradients, losses: losses, threads: editor.threads,
      instructionSet: editor.pool.kernels.name,
      cutPrompts: cut, plannedPeakBytes: plan.peak, peakBytes: ProcessMemory.peak, seconds: seconds)
  }
}

extension Editor {
  /// Everything that can be known of a training before it is computed. Nothing is decoded.
  ///
  /// - Throws: what cannot work: `TrainingError`, `EditError.parameter`, `WorkingSizeError`,
  ///   `RequestError.overBudget`.
  public func prepare(_ request: LoRARequest) throws -> LoRAJob {
    guard !request.prompt.allSatisfy(\.isWhitespace) else { throw TrainingError.emptyPrompt }
    try request.training.validate()
    try model.checkOrdinary(for: "the training of a LoRA")
    let extent = request.picture.extent
    let geometry = Geometry(
      picture: extent,
      working: try WorkingSize(
        picture: extent, nativeSide: model.nativeSize, multiple: model.sizeMultiple,
        request: request.size ?? .native), pixelsPerLatent: model.pixelsPerLatent)
    let (width, height) = (geometry.padded.width, geometry.padded.height)
    let training = try model.training(rank: request.training.rank)

    var refused = Refused(limit: memoryLimit)
    let reading = request.picture.passBytes + geometry.workingPictureBytes
    let picture = 3 * width * height
    let values = try training.trainedCount()
    let contexts = try model.contexts(of: request.texts.all)
    let stored = TrainingBytes(
      model, latents: 2, height: geometry.latentHeight, width: geometry.latentWidth,
      conditions: 2 * contexts, values: values)
    let taken = baseline + picture
    refused.check("read picture", taken + reading)
    func stages(_ model: Model, beside bytes: Int) -> Stages {
      Stages(model: model, threads: threads, budget: refused.limit.map { $0.bytes - taken - bytes })
    }
    let first = stages(model, beside: stored.first)
    let text = try model.textEncoders.indices.compactMap { i in
      try refused.planned(beside: taken + stored.first) { try first.textEncoder(i) }
    }
    let encoder = try refused.planned(beside: taken + stored.first) {
      try first.encoder(width: width, height: height)
    }
    let second = stages(training, beside: stored.second)
    let noise = try refused.planned(beside: taken + stored.second) {
      try second.noise(width: width, height: height, contexts: contexts, keeping: .parameterGradients)
    }
    if let worst = refused.worst { throw worst }
    var rows = [MemoryPlan.Stage(name: "read picture", stored: reading)]
    rows += text.map { .init("text", $0, stored: stored.first) }
    rows.append(.init("encode", encoder!, stored: stored.first))
    rows.append(.init("denoise", noise!, stored: stored.second))
    return LoRAJob(
      editor: self, request: request,
      plan: MemoryPlan(stages: rows, held: picture, baseline: baseline), geometry: geometry, text: text,
      encoder: encoder!, noise: noise!, contexts: contexts)
  }
}

extension LoRARequest {
  fileprivate var texts: PromptEncoder.Texts {
    PromptEncoder.Texts(prompts: [prompt], negativePrompt: nil, syntax: promptSyntax)
  }
}

extension Model {
  /// Trained numbers of the noise network.
  fileprivate func trainedCount() throws -> Int {
    let component = components.first { $0.name == "unet" }!
    let graph = try component.graph(of: component.networks[0], component.networks[0].smallest).graph
    return graph.parameters.reduce(0) { $0 + graph.type($1.value).count }
  }
}

extension Network {
  /// The smallest picture that it takes.
  fileprivate var smallest: NetworkSize { NetworkSize(width: sizeMultiple ?? 1, height: sizeMultiple ?? 1) }
}
