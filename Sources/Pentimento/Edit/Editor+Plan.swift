import Runtime
import StableDiffusion

extension Editor {
  /// What `run` will hold in memory. Computes nothing.
  ///
  /// - Parameter pictures: what the caller holds beside the run; only counted.
  /// - Throws: what `run` would throw before it begins: `RequestError` (`overBudget` if a stage does not fit into
  ///   `maximumMemory`), `EditError` and `InversionError`.
  public func plan(_ request: EditRequest, pictures: PictureMemory = PictureMemory()) throws -> MemoryPlan {
    let (request, prepared) = try prepare(request)
    return try plan(request, prepared, pictures).plan
  }

  /// The plan, and what it leaves for a network: bytes, nil for no limit.
  func plan(
    _ request: EditRequest, _ prepared: PreparedMethod, _ pictures: PictureMemory
  ) throws -> (plan: MemoryPlan, networkBudget: Int?) {
    try checkSize(request)
    let (width, height) = (request.width, request.height)
    let stored = StoredBytes(request, prepared, model)
    // An inversion that was given lives through all stages.
    let held =
      pictures.holding + (request.picture?.byteCount ?? 0) + (request.inversion?.inversion.byteCount ?? 0)
    let taken = baseline + held
    for (name, bytes) in [("read picture", pictures.reading), ("write picture", pictures.writing)] {
      if let maximumMemory, taken + bytes > maximumMemory {
        throw RequestError.overBudget(stage: name, needed: taken + bytes, budget: maximumMemory)
      }
    }

    let networkBudget = maximumMemory.map { $0 - taken - stored.most }
    let stages = Stages(model: model, threads: threads, budget: networkBudget)
    var rows: [MemoryPlan.Stage] = []
    do {
      if pictures.reading > 0 { rows.append(.init(name: "read picture", stored: pictures.reading)) }
      for index in model.textEncoders.indices {
        rows.append(.init("text", try stages.textEncoder(index).plan, stored: stored.conditions))
      }
      if request.picture != nil, request.inversion == nil {
        let encoder = try stages.encoder(width: width, height: height).plan
        rows.append(.init("encode", encoder, stored: stored.conditions + stored.signal))
      }
      let noise = try stages.noise(width: width, height: height, attentionMaps: prepared.readsAttention).plan
      rows.append(.init("denoise", noise, stored: stored.conditions + stored.latents))
      let decoder = try stages.decoder(width: width, height: height).plan
      rows.append(.init("decode", decoder, stored: stored.conditions + stored.signal + stored.kept))
      if pictures.writing > 0 { rows.append(.init(name: "write picture", stored: pictures.writing)) }
    } catch RequestError.overBudget(let stage, let needed, let budget) {
      let beside = (maximumMemory ?? budget) - budget
      throw RequestError.overBudget(stage: stage, needed: needed + beside, budget: budget + beside)
    }
    return (MemoryPlan(stages: rows, held: held, baseline: baseline), networkBudget)
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
}

/// What lies in memory beside a network.
private struct StoredBytes {
  /// Text states of the target, the source, the empty prompt and the concepts.
  let conditions: Int
  /// The picture as Float32, once as the input and once while it is handed over.
  let signal: Int
  /// The method's own latents (the one it works on, its queries and their answers) and what it records.
  let latents: Int
  /// What is kept for a file when the method is done.
  let kept: Int

  var most: Int { conditions + max(signal + kept, latents) }

  init(_ request: EditRequest, _ prepared: PreparedMethod, _ model: Model) {
    let (height, width) = (request.height / 8, request.width / 8)
    let channels = AutoencoderConfiguration.latentChannels
    conditions = (3 + request.concepts.count) * model.tokens * model.unet.configuration.contextWidth * 4
    signal = 2 * request.width * request.height * 3 * 4
    let recorded = prepared.storageBytes(request, height: height, width: width)
    latents = 8 * height * width * channels * 4 + recorded
    kept = request.keepsInversion ? recorded : 0
  }
}
