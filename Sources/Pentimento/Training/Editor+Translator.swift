import Editing
import Files
import Pictures
import Runtime
import StableDiffusion
import Tensors

extension Editor {
  /// Everything that can be known of a training before it is computed. Nothing is decoded.
  ///
  /// - Throws: what cannot work: `TrainingError`, `EditError.parameter`, `WorkingSizeError`,
  ///   `RequestError.overBudget`.
  public func prepare(_ request: TranslatorRequest) throws -> TranslatorJob {
    try request.check()
    try model.checkOrdinary(for: "the training of a translation network")
    let size = try trainingSize(request.size)
    let geometries = try request.pictures.map { picture in
      try geometry(of: CroppedPicture(picture, aspect: size), at: size)
    }
    var configuration = TranslationConfiguration(tasks: request.tasks.count)
    (configuration.width, configuration.blocks) = (request.width, request.blocks)
    let network = TranslationNetwork(configuration)
    let generator = try TextToImage(defaultsOf: model)

    let (height, width) = (size.height / model.pixelsPerLatent, size.width / model.pixelsPerLatent)
    let training = try TrainingTranslator.stage(
      network, height: height, width: width, threads: threads, weights: model.components[0].weights)
    let stored = TrainingBytes(
      model, latents: request.pictures.count + request.generated, height: height, width: width,
      conditions: 2 * request.tasks.count + 1, values: training.parameterCount)
    var refused = Refused(limit: memoryLimit)
    let reading =
      zip(request.pictures, geometries).map { picture, geometry in
        CroppedPicture(picture, aspect: size).passBytes + geometry.workingPictureBytes
          + 3 * size.width * size.height
      }.max() ?? 0
    refused.check("read picture", baseline + stored.latents + reading)
    let stages = Stages(
      model: model, threads: threads, budget: refused.limit.map { $0.bytes - baseline - stored.first })
    let text = try model.textEncoders.indices.compactMap { i in
      try refused.planned(beside: baseline + stored.first) { try stages.textEncoder(i) }
    }
    let encoder =
      request.pictures.isEmpty
      ? nil
      : try refused.planned(beside: baseline + stored.first) {
        try stages.encoder(width: size.width, height: size.height)
      }
    // The two networks of a step are there together.
    let beside = baseline + stored.second + training.plan.peakBytes
    let together = Stages(model: model, threads: threads, budget: refused.limit.map { $0.bytes - beside })
    let noise = try refused.planned(beside: beside) {
      try together.noise(width: size.width, height: size.height)
    }
    if let worst = refused.worst { throw worst }

    var rows: [MemoryPlan.Stage] = []
    if reading > 0 { rows.append(.init(name: "read picture", stored: stored.latents + reading)) }
    rows += text.map { .init("text", $0, stored: stored.first) }
    if let encoder { rows.append(.init("encode", encoder, stored: stored.first)) }
    rows.append(.init("denoise", noise!, stored: stored.second + training.plan.peakBytes))
    return TranslatorJob(
      editor: self, request: request, plan: MemoryPlan(stages: rows, held: 0, baseline: baseline),
      geometries: geometries, network: network, generator: generator,
      stages: .init(text: text, encoder: encoder, noise: noise!, training: training), workingSize: size)
  }

  /// One size for all pictures: a square of the side that is asked for, or the box, in the model's multiples.
  private func trainingSize(_ request: WorkingSize.Request?) throws -> Extent {
    let side = model.nativeSize
    let wanted =
      switch request {
      case .box(let box): box
      case .side(let side): Extent(width: side, height: side)
      case .native, nil: Extent(width: side, height: side)
      }
    return try WorkingSize(
      picture: wanted, nativeSide: side, multiple: model.sizeMultiple, request: .box(wanted)
    ).padded
  }

  private func geometry(of picture: CroppedPicture, at size: Extent) throws -> Geometry {
    Geometry(
      picture: picture.extent, working: try WorkingSize(filling: size, with: picture.extent),
      pixelsPerLatent: model.pixelsPerLatent)
  }
}

/// What lies in memory beside the networks of a training, in bytes.
struct TrainingBytes: Sendable {
  let latents: Int
  /// While texts and pictures are encoded: text states, latents, the picture as Float32 twice.
  let first: Int
  /// While steps are made: text states, latents, the values with gradients and both moments of the optimiser, and what
  /// the journal still has to write of them.
  let second: Int

  init(
    _ model: Model, latents count: Int, height: Int, width: Int, conditions: Int, values: Int
  ) {
    let float = MemoryLayout<Float>.size
    let channels = AutoencoderConfiguration.latentChannels
    let pixels = height * width * model.pixelsPerLatent * model.pixelsPerLatent
    let states = conditions * model.tokens * model.unet.configuration.contextWidth * float
    latents = count * height * width * channels * float
    first = states + latents + 2 * pixels * 3 * float
    second = states + latents + 12 * height * width * channels * float + 8 * values * float
  }
}

extension Stage {
  /// Trained numbers.
  var parameterCount: Int { graph.parameters.reduce(0) { $0 + graph.type($1.value).count } }
}

extension TextToImage {
  /// With the model's own settings.
  fileprivate init(defaultsOf model: Model) throws {
    var outline = EditOutline()
    outline.kind = model.kind
    let configured = try EditMethod(TextToImage.self).configured(
      for: outline, model: model.defaults.settings(for: TextToImage.about.name))
    self = configured.method as! TextToImage
  }
}

extension Model {
  /// The model's own weight of the prompt for delta denoising scores; nil where it says nothing.
  public var guidanceOfScores: Double? {
    guard case .number(let scale)? = defaults.settings(for: DeltaDenoisingScore.about.name)["cfg-scale"]
    else {
      return nil
    }
    return scale
  }
}
