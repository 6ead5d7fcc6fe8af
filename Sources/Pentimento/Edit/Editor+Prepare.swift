import Editing
import Pictures
import Runtime
import StableDiffusion

extension Editor {
  /// Everything that can be known of an edit before it is computed. Nothing is decoded.
  ///
  /// - Parameter lanes: queries that may share a pass over weights that are read again and again. The result does not
  ///   depend on them.
  /// - Throws: what cannot work: `RequestError` (`overBudget` if a stage does not fit into `memoryLimit`),
  ///   `SettingError`, `EditError`, `InversionError`, `WorkingSizeError`.
  public func prepare(_ request: EditRequest, lanes: Int? = nil) throws -> EditJob {
    let request = try request.withCropSettled(nativeSide: model.nativeSize, memoryLimit, baseline)
    if let learning = request.learning { return try prepare(request, learning: learning, lanes: lanes) }
    let draft = try self.draft(request)
    let (pictures, prepared, stored) = (draft.pictures, draft.prepared, draft.stored)
    let taken = baseline + draft.held
    var refused = Refused(limit: memoryLimit)
    refused.check("read picture", taken + pictures.reading)
    refused.check("write picture", taken + pictures.writing + stored.kept)
    let stages = try EditStages(
      draft.size, of: self, encodesPicture: draft.encodesPicture, contexts: draft.contexts,
      texts: model.sequences(of: [draft.texts], contexts: draft.contexts), demands: prepared.demands,
      translator: request.translator,
      lanes: lanes ?? prepared.method.evaluationsAtOnce(prepared.outline),
      comparing: request.comparesInt8 ? prepared.name : nil, beside: stored.beside(taken), &refused)
    let plan = MemoryPlan(
      stages: try rows(stages, draft), held: draft.held, baseline: baseline)
    return EditJob(editor: self, draft, plan: plan, stages: stages)
  }

  /// What is known of an edit before its networks are planned: the request is complete and checked.
  ///
  /// - Throws: as `prepare`, but for `overBudget`.
  /// - Precondition: nothing is learned first.
  func draft(_ request: EditRequest) throws -> EditDraft {
    let settled = try request.withCropSettled(nativeSide: model.nativeSize, memoryLimit, baseline)
    let (method, reason) =
      try settled.method.map { ($0, nil) } ?? EditMethod.choice(for: settled, on: model.kind)
    try settled.checkInversion(for: method)
    let request = try settled.completed(identity: identity.value)
    let geometry = try self.geometry(for: request)
    try request.checkSize(geometry)
    var outline = request.outline
    try request.translator?.check(for: model)
    outline.task = try request.translator?.task(request.task)
    outline.kind = model.kind
    let contexts = try request.contexts(on: model)
    outline.contextValues = contexts * model.tokens * model.unet.configuration.contextWidth
    outline.moves = try request.moves.enumerated().map { index, move in
      try geometry.working(move, in: request.window, of: request.picture?.extent, index: index)
    }
    let prepared = try PreparedMethod(method, request, outline, on: model.schedule, defaults: model.defaults)
    return EditDraft(
      request: request, methodReason: reason, contexts: contexts, prepared: prepared,
      pictures: try EditPictures(request, method, geometry, prepared.method.maskRule),
      stored: StoredBytes(
        request, prepared, LatentSize(geometry), model, contexts: contexts, preview: geometry.content))
  }

  /// Prepares a request and runs it.
  ///
  /// - Throws: what `prepare` and `EditJob.run` throw.
  public func run(
    _ request: EditRequest, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) async throws -> EditResult {
    try await prepare(request).run(progress: progress)
  }

  /// Sizes, by those of the picture or of what stands for it: the picture that a given inversion was made from, or a
  /// square.
  private func geometry(for request: EditRequest) throws -> Geometry {
    let origin = request.inversion?.origin
    let size = try request.size ?? origin?.sizeOption.map(WorkingSize.Request.init(parsing:)) ?? .native
    let given = request.window?.extent ?? request.picture?.extent ?? origin?.pictureExtent
    var shape = given ?? Extent(width: model.nativeSize, height: model.nativeSize)
    if given == nil, case .box(let box) = size { shape = box }
    let working = try WorkingSize(
      picture: shape, nativeSide: model.nativeSize, multiple: model.sizeMultiple, request: size)
    return Geometry(
      picture: given ?? working.content, working: working, pixelsPerLatent: model.pixelsPerLatent)
  }

  /// The plan's rows.
  private func rows(_ stages: EditStages, _ draft: EditDraft) throws -> [MemoryPlan.Stage] {
    let (pictures, prepared, stored) = (draft.pictures, draft.prepared, draft.stored)
    var rows: [MemoryPlan.Stage] = []
    if pictures.reading > 0 { rows.append(.init(name: "read picture", stored: pictures.reading)) }
    let texts = try model.sequences(of: [draft.texts], contexts: draft.contexts)
    rows += stages.text.map {
      .init("text", $0, stored: stored.conditions, in: EvaluationRounds(texts, atOnce: texts))
    }
    if let encoder = stages.encoder {
      rows.append(.init("encode", encoder, stored: stored.encode))
    }
    for (name, stage) in [("denoise", stages.noise), ("translate", stages.translation)] {
      guard let stage else { continue }
      let evaluations = max(1, prepared.evaluations) - prepared.gradients
      let atOnce = prepared.method.evaluationsAtOnce(prepared.outline)
      rows.append(
        .init(
          name, stage, stored: stored.denoise, gradients: prepared.gradients,
          in: EvaluationRounds(evaluations, atOnce: max(1, atOnce))))
    }
    if let int8 = stages.int8 {
      rows.append(.init("compare", int8, stored: stored.compare))
    }
    let rest = max(0, stored.handing - stages.decoder.plan.peakBytes)
    rows.append(.init("decode", stages.decoder, stored: stored.decode + rest))
    rows.append(.init(name: "write picture", stored: pictures.writing + stored.kept))
    return rows
  }
}

/// An edit whose networks are not planned yet.
struct EditDraft: Sendable {
  /// Complete.
  let request: EditRequest
  let methodReason: String?
  /// That every prompt takes, or is padded to.
  let contexts: Int
  let prepared: PreparedMethod
  let pictures: EditPictures
  let stored: StoredBytes

  /// Pixels at which the networks work.
  var size: Extent { pictures.geometry.padded }
  var encodesPicture: Bool { request.picture != nil && request.inversion == nil }
  /// What stays in memory from the first stage to the last.
  var held: Int { pictures.held + (request.inversion?.inversion.byteCount ?? 0) }
  /// Target, source and concepts, as far as they are there, in this order.
  var texts: PromptEncoder.Texts { request.texts }
}

extension EditRequest {
  /// Target, source and concepts, as far as they are there, in this order.
  var texts: PromptEncoder.Texts {
    PromptEncoder.Texts(
      prompts: [prompt, sourcePrompt].compactMap { $0 } + concepts.map(\.text),
      negativePrompt: negativePrompt, syntax: syntax)
  }
}

extension EditJob {
  init(editor: Editor, _ draft: EditDraft, plan: MemoryPlan, stages: EditStages) {
    self.init(
      editor: editor, request: draft.request, methodReason: draft.methodReason, plan: plan,
      prepared: draft.prepared, pictures: draft.pictures, stages: stages)
  }
}

/// Cells of a latent.
struct LatentSize: Sendable {
  let height: Int
  let width: Int

  init(_ geometry: Geometry) { (height, width) = (geometry.latentHeight, geometry.latentWidth) }
}

/// What lies in memory beside a network, in bytes.
struct StoredBytes: Sendable {
  /// Text states of the target, the source, the empty prompt (once more where zeros stand for it) and the concepts.
  let conditions: Int
  /// The picture as Float32.
  let signal: Int
  /// The picture that the decoder has made, in its memory and in another, and in 8 bits.
  var handing: Int { 2 * signal + signal / 4 }
  /// The method's own latents (the one it works on, its queries and their answers) and what it records.
  let latents: Int
  /// What is kept for a file when the method is done.
  let kept: Int

  var encode: Int { conditions + signal }
  var denoise: Int { conditions + latents }
  var decode: Int { conditions + kept + compared }
  /// The edit's picture and the one that it is compared with lie in 8 bits.
  var compare: Int { conditions + latents + kept + compared }
  private var compared: Int { compares ? signal / 2 : 0 }
  private let compares: Bool

  func beside(_ taken: Int) -> BytesBeside {
    BytesBeside(
      text: taken + conditions, encode: taken + encode, denoise: taken + denoise, compare: taken + compare,
      decode: taken + decode, handing: handing)
  }

  /// - Parameters:
  ///   - contexts: of every prompt.
  ///   - extent: of a preview.
  init(
    _ request: EditRequest, _ prepared: PreparedMethod, _ size: LatentSize, _ model: Model,
    contexts: Int, preview extent: Extent
  ) {
    let channels = AutoencoderConfiguration.latentChannels
    let pixels = size.height * size.width * model.pixelsPerLatent * model.pixelsPerLatent
    compares = request.comparesInt8
    let count = 3 + request.concepts.count + (model.zeroesMissingNegative ? 1 : 0)
    conditions = count * contexts * model.tokens * model.unet.configuration.contextWidth * 4
    signal = pixels * 3 * 4
    let recorded = prepared.storageBytes(size)
    let preview = request.showsPreviews ? EditPreview.bytes(size, extent, channels: channels) : 0
    latents = 8 * size.height * size.width * channels * 4 + recorded + preview
    kept = request.keepsInversion || request.comparesInt8 ? recorded : 0
  }
}

extension EditPictures {
  /// - Throws: `RequestError` for what only makes sense with a mask or a picture where an edit will have none.
  init(_ request: EditRequest, _ method: EditMethod, _ geometry: Geometry, _ rule: MaskRule) throws {
    let obeysMask = request.obeysMask(with: method)
    guard (request.feather ?? 0) == 0 || (obeysMask && request.pastesBack) else {
      throw RequestError.featherIdle
    }
    let pastesBack = obeysMask && request.pastesBack
    guard !pastesBack || request.picture != nil else { throw RequestError.pasteBackWithoutPicture }
    self.init(
      geometry: geometry, photo: request.photo, window: request.window, mask: request.mask,
      maskRule: rule, pastesBack: pastesBack,
      keepsDetail: request.keepsDetail && !pastesBack,
      feather: geometry.feathering(request.feather, isGiven: request.mask != nil),
      hasMask: request.hasMask(with: method))
  }
}

extension Geometry {
  /// How the edge of a mask is softened.
  ///
  /// - Parameter radius: as it was asked for.
  fileprivate func feathering(_ radius: Int?, isGiven: Bool) -> Feathering {
    if let radius { return .both(radius) }
    // A found mask has soft edges already.
    guard isGiven else { return .none }
    // A wider edge would swallow small masks of large pictures.
    return .inward(min((pixelsPerLatent * picture.width + content.width - 1) / content.width, 16))
  }

  /// Picture pixels → working pixels.
  ///
  /// - Parameters:
  ///   - window: the part of the picture that is worked on.
  ///   - whole: the picture.
  fileprivate func working(
    _ move: Drag.Move, in window: Window?, of whole: Extent?, index: Int
  ) throws(EditError) -> Drag.Move {
    let (window, whole) = (window ?? Window(x: 0, y: 0, extent: picture), whole ?? picture)
    func point(_ p: Drag.Point) throws(EditError) -> Drag.Point {
      guard (0..<whole.width).contains(p.x), (0..<whole.height).contains(p.y) else {
        throw .pointOutside(index: index, x: p.x, y: p.y, width: whole.width, height: whole.height)
      }
      guard window.contains(x: p.x, y: p.y) else {
        throw .pointOutside(
          index: index, x: p.x - window.x, y: p.y - window.y, width: picture.width, height: picture.height)
      }
      let (x, y) = workingPoint(x: p.x - window.x, y: p.y - window.y)
      return Drag.Point(x: x, y: y)
    }
    return Drag.Move(from: try point(move.source), to: try point(move.target))
  }
}
