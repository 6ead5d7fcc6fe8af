import Editing
import StableDiffusion
import Tensors

/// A request's method with all its settings in place, ready to run.
struct PreparedMethod: Sendable {
  let method: any EditingMethod
  let outline: EditOutline
  /// Settings that did not come from the method itself.
  let sources: [String: EditMethod.Source]

  /// Settings in place, inputs checked against what the method needs.
  ///
  /// - Parameters:
  ///   - outline: the request's, with points in working pixels.
  ///   - defaults: the model's own.
  /// - Throws: `RequestError`, `SettingError`, `InversionError`, `EditError`.
  init(
    _ chosen: EditMethod, _ request: EditRequest, _ outline: EditOutline, on schedule: NoiseSchedule,
    defaults: ModelDefaults
  ) throws {
    try chosen.type.check(outline.kind)
    try request.checkInputs(of: chosen)
    self.outline = outline
    let configured = try chosen.configured(
      for: outline, inversion: request.inversion?.inversion.settings ?? [:],
      model: defaults.settings(for: chosen.name))
    (method, sources) = (configured.method, configured.sources)
    try method.validate(outline, on: schedule)
    if let saved = request.inversion, let method = method as? any InvertingMethod {
      try method.check(saved.inversion)
    }
  }

  var name: String { method.name }
  /// Network evaluations of the run.
  var evaluations: Int { method.evaluations(outline) }
  var demands: NetworkDemands { method.demands(outline) }
  /// Gradients of the run.
  var gradients: Int { method.gradients(outline) }

  /// Bytes that the method stores, an inversion that was given not counted.
  func storageBytes(_ size: LatentSize) -> Int {
    method.storageBytes(
      outline, height: size.height, width: size.width, channels: AutoencoderConfiguration.latentChannels)
  }
}

extension EditRequest {
  /// Whether the edit has a mask, given or found, outside of which it leaves the latent as it is.
  package func obeysMask(with method: EditMethod) -> Bool {
    let finding = method.about.findsMask
    return mask != nil || finding == .always || (finding == .onRequest && findsMask)
  }

  /// Whether there is a mask at the end of the edit, if only to look at.
  package func hasMask(with method: EditMethod) -> Bool {
    obeysMask(with: method) || method.about.findsMask == .inHindsight
  }

  /// - Throws: `InversionError.notUsed`, `EditError.inversionDoesNotFit` for an inversion of another method.
  func checkInversion(for method: EditMethod) throws {
    guard inversionUse != .discarded else { return }
    guard let type = method.type as? any InvertingMethod.Type else {
      throw InversionError.notUsed(method: method.name, known: EditMethods.all.inverting.map { $0.name })
    }
    if let inversion { try type.checkFamily(inversion.inversion) }
  }

  /// Whether what was given is what the method needs, and all of it is of use.
  ///
  /// - Throws: `RequestError.missingInput`, `RequestError.inputNotUsed`, `EditError.concept`.
  func checkInputs(of method: EditMethod) throws {
    let about = method.about
    let given: [(MethodSummary.Need, RequestInput, Bool)] = [
      (.image, .picture, picture != nil || inversion != nil),
      (.sourcePrompt, .sourcePrompt, sourcePrompt != nil),
      (.targetPrompt, .prompt, prompt != nil),
      (.mask, .mask, mask != nil),
      (.points, .points, !moves.isEmpty),
      (.concepts, .concepts, !concepts.isEmpty),
      (.translator, .translator, translator != nil),
    ]
    for (need, input, isGiven) in given {
      if about.needs.contains(need), !isGiven {
        throw RequestError.missingInput(input: input, method: about.name)
      }
      if isGiven, !about.needs.contains(need), !about.accepts.contains(need) {
        throw RequestError.inputNotUsed(input: input, method: about.name)
      }
    }
    if task != nil, translator == nil { throw RequestError.inputNotUsed(input: .task, method: about.name) }
    // Every concept counts among the others, one that says nothing too.
    for concept in concepts where concept.text.allSatisfy(\.isWhitespace) {
      throw EditError.concept(concept.text, reason: "it has no text")
    }
    if findsMask, about.findsMask == .never {
      throw RequestError.inputNotUsed(input: .foundMask, method: about.name)
    }
  }
}
