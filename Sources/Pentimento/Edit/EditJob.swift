import Editing
import Kernels
import Pictures
import Runtime
import StableDiffusion
import Tensors

/// An edit that is ready to run: checked, its networks planned, its memory and its work known.
///
///     texts ─► conditions        picture ─► latent        method loop over the noise network        latent ─► picture
///
/// Every stage gives its memory back before the next begins. A job may run more than once, and beside others; it
/// makes the same bits each time.
public struct EditJob: Sendable {
  public let editor: Editor
  /// As it will be run: completed by its inversion.
  public let request: EditRequest
  /// Why this method, where the request named none: "there are concepts".
  public let methodReason: String?
  /// What a run will hold in memory.
  public internal(set) var plan: MemoryPlan
  let prepared: PreparedMethod
  /// What goes before.
  var learning: LearningJob?
  let pictures: EditPictures
  let stages: EditStages

  /// The method with its settings in place.
  public var method: any EditingMethod { prepared.method }
  /// The method's name.
  public var methodName: String { prepared.name }
  /// Network evaluations of a run.
  public var evaluations: Int {
    prepared.evaluations + comparisonEvaluations + (learning?.training.gradients ?? 0)
  }
  /// Gradients of the network in a run.
  public var gradients: Int { prepared.gradients + (learning?.training.gradients ?? 0) }
  /// Seed of the noise.
  public var seed: UInt64 { request.seed ?? 42 }
  /// The noise of the method.
  var tape: any NoiseTape { SeededTape(seed: seed).dropFirst(request.posterior.draws) }
  /// What the method works on.
  func latent(_ picture: Posterior) throws -> Latent {
    try picture.latent(request.posterior, SeededTape(seed: seed))
  }
  /// Pixels at which the networks work.
  public var workingSize: Extent { pictures.geometry.padded }
  /// What the model is shown of a larger picture, and how large: "for 400×300 at 12,8 of 4000×3000"; nil where it is all of
  /// it at its own size.
  public var shownPart: String? {
    guard let whole = pictures.photo?.extent else { return nil }
    let (geometry, window) = (pictures.geometry, pictures.window)
    guard window != nil || geometry.content != geometry.picture else { return nil }
    let scale = Double(geometry.content.width) / Double(geometry.picture.width)
    let part = window.map { "\($0.extent) at \($0.x),\($0.y) of \(whole)" } ?? "\(whole)"
    return "for \(part) (\((scale * 100).rounded() / 100) of its size)"
  }
  /// Whether there is a mask at the end, if only to look at.
  public var hasMask: Bool { pictures.hasMask }

  /// What is to be said of the request before the work.
  var notes: [String] {
    let method = prepared.method
    let isTold = prepared.sources[PictureSampler.option] == .caller
    var notes = editor.model.suspicionNotes(
      jumps: method.samplesByJumps || isTold, method: type(of: method).tellsGuidance ? nil : prepared.name)
    if !stages.text.isEmpty, let note = request.syntaxNote { notes.append(note) }
    if request.negativePrompt?.isEmpty == false, method.ignoresNegativePrompt {
      notes.append(
        "The negative prompt has no effect: without guidance (cfg-scale 1) the model is only asked for what "
          + "the result shows.")
    }
    return notes
  }

  /// Runs the edit.
  ///
  /// - Parameters:
  ///   - journal: where it keeps how far it has come; one of this run, from which it goes on, or a new one. It is for
  ///     the caller to remove it when the result is where it belongs.
  ///   - progress: told evaluations and gradients done and planned.
  /// - Throws: `JournalError.differs` for the journal of another run; `PictureFileError` for a picture or a mask that
  ///   cannot be read, `InversionError.differs` for a picture
  ///   that the given inversion was not made from; `EditError` for a run that leads nowhere, `ModelError.notFinite` for
  ///   damaged weights, `WeightFileError` where weights cannot be read any more, `SystemRefusal` for a thread or memory
  ///   that the system does not give, and `CancellationError` at the latest after one operator.
  public func run(
    journal: FileJournal? = nil,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) async throws -> EditResult {
    do {
      let alone = Part(journal: journal, tie: { try await journal?.tie(to: identity($0)) })
      var result = try await run(alone, progress)
      result.record = try record()
      return result
    } catch {
      await journal?.leave()
      throw error
    }
  }

  /// An edit as a part of something: where its progress goes, and what is done as soon as its pictures are read.
  struct Part: Sendable {
    var journal: (any EditJournal)?
    var tie: @Sendable (EditPictures.Prepared) async throws -> Void
  }

  func run(
    _ part: Part, _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> EditResult {
    if let learning { return try await run(after: learning, part, progress) }
    let pressure = editor.memoryLimit.map { _ in MemoryPressure(planned: plan.peak) }
    return try await MemoryPressure.$current.withValue(pressure) {
      try await StreamLog.$current.withValue(StreamLog()) { try await compute(part, progress) }
    }
  }

  private func compute(
    _ part: Part, _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> EditResult {
    let clock = ContinuousClock.now
    let (thread, watch) = (try NetworkThread(), RunWatch.current)
    watch?.stage("read picture")
    try await thread.run { try editor.model.verify() }
    let read = try await thread.run { try pictures.read() }
    try request.inversion?.check(read.picture)
    try await part.tie(read)
    watch?.stage("text")
    let encoded = try await encodeTexts(on: thread)
    for text in encoded.cut { watch?.cut(text) }
    var inputs = inputs(read, encoded)
    if let picture = read.picture, inputs.inversion == nil {
      try Task.checkCancellation()
      watch?.stage("encode")
      inputs.source = try latent(await codec(on: thread).encode([picture])[0].get())
    }

    let preview = try await preview(inputs.source, read.picture, on: thread)
    let remarks = Remarks(
      mask: read.mask, keepsInversion: request.keepsInversion || request.comparesInt8,
      notes: read.notes + notes,
      steps: preview?.reached)
    watch?.stage(stages.noise == nil ? "translate" : "denoise")
    let (latent, work) = try await denoise(
      inputs, empty: encoded.empty, on: thread, observer: remarks.observer, journal: part.journal,
      shownBy: preview, progress: progress)
    preview?.end()
    try Task.checkCancellation()
    watch?.stage("decode")
    let working = Picture(signal: try await codec(on: thread).decode(latent))
    let total = evaluations + gradients
    if request.comparesInt8 { watch?.stage("compare") }
    let int8 = try await int8Decibels(
      inputs, remarks.inversion, empty: encoded.empty, against: working, on: thread
    ) { progress(total - comparisonEvaluations + $0, total) }
    let made = Products(read: read, source: inputs.source, latent: latent, working: working)
    return try result(made, remarks) { change in
      report(
        work, int8Decibels: int8, cut: encoded.cut, remarks, change,
        seconds: (ContinuousClock.now - clock).seconds)
    }
  }

  /// Target, source and concepts, as far as they are there, in this order.
  private func encodeTexts(on thread: NetworkThread) async throws -> EncodedPrompts {
    if stages.text.isEmpty {
      return EncodedPrompts(prompts: [], empty: .nothing, encodedEmpty: .nothing, cut: [])
    }
    let size = workingSize
    return try await thread.run {
      try promptEncoder.encode([request.texts], width: size.width, height: size.height)[0]
    }
  }

  /// What the method works on: the conditions and what a given inversion has; not yet the picture's latent.
  func inputs(_ read: EditPictures.Prepared, _ encoded: EncodedPrompts) -> EditInputs {
    let size = LatentSize(pictures.geometry)
    var inputs = EditInputs(
      prepared.outline, height: size.height, width: size.width,
      channels: AutoencoderConfiguration.latentChannels)
    inputs.targetCondition = request.prompt.map { _ in encoded.prompts[0] }
    inputs.sourceCondition = request.sourcePrompt.map { _ in encoded.prompts[request.prompt == nil ? 0 : 1] }
    inputs.encodedEmpty = encoded.encodedEmpty
    inputs.conceptConditions = Array(encoded.prompts.suffix(request.concepts.count))
    inputs.mask = read.mask
    inputs.inversion = request.inversion?.inversion
    inputs.source = inputs.inversion?.states[0]
    return inputs
  }

  /// The noise network lives as long as this call.
  private func denoise(
    _ inputs: EditInputs, empty: Condition, on thread: NetworkThread, observer: EditObserver,
    journal: (any EditJournal)?, shownBy preview: EditPreview?,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> (Latent, NetworkWork) {
    let total = evaluations + gradients
    var network: NoiseNetwork?
    if stages.noise != nil { network = try await noiseNetwork(on: thread) { progress($0.total, total) } }
    var unet: any NoisePredictor = network ?? NoNetwork()
    if let preview { unet = WatchedPredictor(base: unet, preview: preview) }
    var context = EditContext(
      diffusion: Diffusion(unet: unet, schedule: editor.model.schedule, empty: empty),
      codec: codec(on: thread),
      tape: tape, observer: observer, journal: journal ?? NoJournal())
    if prepared.demands.contains(.contextGradient) { context.derivative = network }
    if let stage = stages.translation {
      context.translator = try await thread.run {
        try TranslatingExecutor(stage, pool: editor.pool, on: thread)
      }
    }
    let latent = try await loop(inputs, in: context)
    if let network { StreamLog.current?.add("denoise", await network.traffic) }
    return (latent, await network?.work ?? NetworkWork())
  }

  /// The method from the picture's latent to that of the result.
  ///
  /// - Throws: what the method throws, `EditError.noPicture`.
  func loop(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    let latent = try await prepared.method.resumableRun(inputs, in: context)
    // Latents of pictures stay within a few units.
    let limit: Float = 1e4
    guard latent.isWithin(limit) else { throw EditError.noPicture(method: prepared.name, limit: limit) }
    return latent
  }
}

/// The networks of a job, for a run and for those who look at them one by one.
extension EditJob {
  var promptEncoder: PromptEncoder {
    PromptEncoder(
      model: editor.model, pool: editor.pool, stages: stages.text, contexts: stages.contexts)
  }

  /// For pictures of the working size alone.
  func codec(on thread: NetworkThread) -> PictureCodec {
    let (stages, size) = (stages, workingSize)
    func planned(_ stage: Stage?, _ what: String) -> PictureCodec.Planned {
      { width, height in
        precondition(
          Extent(width: width, height: height) == size, "\(what) of \(width)×\(height), planned \(size)")
        return stage!
      }
    }
    return PictureCodec(
      model: editor.model, pool: editor.pool, encoder: planned(stages.encoder, "a picture"),
      decoder: planned(stages.decoder, "a latent for a picture"), thread: thread)
  }

  /// Loads the weights that stay resident.
  func noiseNetwork(
    on thread: NetworkThread, onEvaluation: @escaping @Sendable (NetworkWork) -> Void = { _ in }
  ) async throws -> NoiseNetwork {
    try await thread.run {
      try NoiseNetwork(
        stages.noise!, model: editor.model, pool: editor.pool, on: thread,
        expecting: NetworkWork(evaluations: prepared.evaluations, gradients: prepared.gradients),
        onEvaluation: onEvaluation)
    }
  }
}

/// Stands where nothing is denoised.
private struct NoNetwork: NoisePredictor {
  func predict(_ queries: [NoiseQuery]) -> [NoisePrediction] {
    preconditionFailure("a noise network was not asked for")
  }
}

extension Condition {
  /// Stands where nothing is told.
  fileprivate static let nothing = Condition(context: HostTensor(shape: [0, 0]))
}
