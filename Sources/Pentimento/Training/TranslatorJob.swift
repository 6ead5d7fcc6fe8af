import Editing
import Files
import Pictures
import Runtime
import StableDiffusion
import Tensors

/// The training of a translation network, ready to run: checked, its networks planned, its memory and its work known.
///
///     texts ─► conditions     pictures, the model's own ─► latents     steps over noise and translation network ─► file
public struct TranslatorJob: Sendable {
  public let editor: Editor
  public let request: TranslatorRequest
  /// What a run will hold in memory.
  public let plan: MemoryPlan
  let geometries: [Geometry]
  let network: TranslationNetwork
  let generator: TextToImage
  let stages: Networks

  /// The networks, in the order in which they run.
  struct Networks: Sendable {
    var text: [Stage]
    var encoder: Stage?
    var noise: Stage
    var training: Stage
  }

  /// Pixels at which the networks work.
  public let workingSize: Extent
  public var seed: UInt64 { request.seed ?? 42 }
  /// Network evaluations of a run: those for the model's own pictures, and those of the training.
  public var evaluations: Int {
    request.generated * generator.evaluations(EditOutline()) + request.training.evaluations
  }
  var latentSize: (height: Int, width: Int) {
    let pixels = editor.model.pixelsPerLatent
    return (workingSize.height / pixels, workingSize.width / pixels)
  }

  /// Trains.
  ///
  /// - Parameters:
  ///   - journal: as `EditJob.run` has it.
  ///   - progress: told evaluations done and planned.
  /// - Throws: `PictureFileError`, `JournalError`, `EditError.gradientNotFinite`, and what networks throw.
  public func run(
    journal: FileJournal? = nil,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) async throws -> TranslatorResult {
    do {
      return try await run(in: journal, progress)
    } catch {
      await journal?.leave()
      throw error
    }
  }

  private func run(
    in journal: FileJournal?, _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> TranslatorResult {
    let clock = ContinuousClock.now
    let (thread, watch) = (try NetworkThread(), RunWatch.current)
    watch?.stage("read picture")
    try await thread.run { try editor.model.verify() }
    try await journal?.tie(to: thread.run { try identity() })
    watch?.stage("text")
    let encoded = try await thread.run {
      try PromptEncoder(model: editor.model, pool: editor.pool, stages: stages.text).encode(
        request.tasks.flatMap { [$0.source, $0.target] }, negativePrompt: request.negativePrompt,
        width: workingSize.width, height: workingSize.height)
    }
    let tasks = request.tasks.indices.map {
      TranslatorTraining.Task(source: encoded.prompts[2 * $0], target: encoded.prompts[2 * $0 + 1])
    }
    for text in encoded.cut { watch?.cut(text) }
    watch?.stage("encode")
    let store = try await LatentStore(journal ?? NoJournal())
    try await encodePictures(into: store, on: thread)

    let total = evaluations
    if request.generated > 0 { watch?.stage("generate") }
    let unet = try await thread.run {
      try NoiseNetwork(
        stages.noise, model: editor.model, pool: editor.pool, on: thread,
        onEvaluation: { progress($0.evaluations, total) })
    }
    let diffusion = Diffusion(unet: unet, schedule: editor.model.schedule, empty: encoded.empty)
    try await generate(tasks.map(\.source), into: store, with: diffusion)
    watch?.stage("train")
    let translator = try await thread.run {
      try TrainingTranslator(stages.training, pool: editor.pool, on: thread)
    }
    let losses = Losses()
    let values = try await request.training.run(
      on: store.latents, tasks: tasks, translator: translator,
      values: network.configuration.initialValues(translator.parameters, tape: tape(.values)),
      model: diffusion, tape: tape(.training), observer: losses.observer, journal: journal ?? NoJournal())
    return TranslatorResult(
      values: values,
      description: TranslatorFile.Description(network.configuration, request.tasks, of: editor.model),
      report: report(
        evaluations: await unet.work.evaluations, gradients: await translator.gradientCount, losses.values,
        cut: encoded.cut,
        seconds: (ContinuousClock.now - clock).seconds))
  }

  // MARK: Latents

  /// Every picture once, one after the other.
  private func encodePictures(into store: LatentStore, on thread: NetworkThread) async throws {
    for (i, (picture, geometry)) in zip(request.pictures, geometries).enumerated()
    where await store.latents.count == i {
      try Task.checkCancellation()
      let working = try await thread.run { try geometry.workingPicture(reading: cropped(picture)) }
      let codec = PictureCodec(
        model: editor.model, pool: editor.pool, encoder: { _, _ in stages.encoder! },
        decoder: { _, _ in preconditionFailure("nothing is decoded") }, thread: thread)
      try await store.add(codec.encode(working.signal).mean)
    }
  }

  /// The model's own pictures of what the tasks begin with, as latents.
  private func generate(
    _ sources: [Condition], into store: LatentStore, with diffusion: Diffusion
  ) async throws {
    for i in 0..<request.generated where await store.latents.count == request.pictures.count + i {
      var inputs = EditInputs(height: latentSize.height, width: latentSize.width)
      inputs.targetCondition = sources[i % sources.count]
      // A tape for each: their draws are numbered alike.
      let context = EditContext(diffusion: diffusion, tape: tape(.picture(i)))
      try await store.add(generator.run(inputs, in: context))
    }
  }

  func cropped(_ picture: any PictureSource) -> CroppedPicture {
    CroppedPicture(picture, aspect: workingSize)
  }

  private enum Purpose {
    case training, values
    case picture(Int)
  }

  /// Tapes of one seed that share no draw.
  private func tape(_ purpose: Purpose) -> any NoiseTape {
    switch purpose {
    case .training: SeededTape(seed: seed)
    case .values: SeededTape(seed: seed ^ 0x7261_6E73_6C61_7465)
    case .picture(let number):
      SeededTape(seed: seed ^ 0x6765_6E65_7261_7465 &+ UInt64(number) &* 0x9E37_79B9_7F4A_7C15)
    }
  }
}

/// Latents to learn from, kept in a journal as they come.
private actor LatentStore {
  private let journal: any EditJournal
  private(set) var latents: [Latent] = []

  private static let key = "latents"

  init(_ journal: any EditJournal) async throws {
    self.journal = journal
    latents = try await journal.progress(of: Self.key).appended.compactMap {
      $0.tensors["z"].map(Latent.init)
    }
  }

  func add(_ latent: Latent) async throws {
    latents.append(latent)
    try await journal.append(JournalEntry(tensors: ["z": latent.tensor]), to: Self.key)
  }
}
