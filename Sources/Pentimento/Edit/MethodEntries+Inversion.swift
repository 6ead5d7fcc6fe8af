import Editing

/// Methods that retrace a photo's noise, with and without concepts.
extension MethodEntry {
  static let ddpmInversion = MethodEntry(DDPMInversion.self) { method, settings, request in
    try takeInversion(&method, &settings, request)
  } prepare: { method, request in
    let hasSource = request.hasSourceText
    let evaluations = method.evaluations(hasSourcePrompt: hasSource, inversion: request.inversionUse)
    return PreparedMethod(method: method, evaluations: evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, from: hasSource ? inputs.sourceCondition : nil, to: inputs.targetCondition!,
        given: inputs.inversion, model: model, tape: tape, observer: observer)
    }
  }

  static let ledits = MethodEntry(LEDITS.self) { method, settings, request in
    try takeInversion(&method.inversion, &settings, request)
    if !request.hasTargetText { try settings.refuse(.guidance, of: LEDITS.name, "without a prompt") }
    try takeSemantics(&method.semantics, &settings, request, standard: .ledits)
  } prepare: { method, request in
    let (hasSource, hasTarget) = (request.hasSourceText, request.hasTargetText)
    let evaluations = method.evaluations(
      hasSourcePrompt: hasSource, hasTargetPrompt: hasTarget, inversion: request.inversionUse)
    return PreparedMethod(method: method, evaluations: evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, from: hasSource ? inputs.sourceCondition : nil,
        to: hasTarget ? inputs.targetCondition : nil, concepts: inputs.conceptConditions,
        given: inputs.inversion, model: model, tape: tape, observer: observer)
    }
  }

  static let leditsPlusPlus = MethodEntry(LEDITSPlusPlus.self, findsMask: .inHindsight) {
    method, settings, request in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.skip, into: &method.skip)
    try settings.take(.sourceGuidance, into: &method.sourceGuidance)
    try refuseSourceGuidance(settings, request, LEDITSPlusPlus.name)
    try settings.take(.maskMode, into: &method.mode)
    let standard = try takeConcept(.leditsPlusPlus, &settings)
    method.concepts = request.concepts.map { $0.concept(standard: standard) }
  } prepare: { method, request in
    let hasSource = request.hasSourceText
    let evaluations = method.evaluations(hasSourcePrompt: hasSource, inversion: request.inversionUse)
    var prepared = PreparedMethod(method: method, evaluations: evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, from: hasSource ? inputs.sourceCondition : nil, concepts: inputs.conceptConditions,
        mask: inputs.mask, given: inputs.inversion, model: model, tape: tape, observer: observer)
    }
    prepared.readsAttention = method.mode != .noise
    return prepared
  }

  static let sega = MethodEntry(SEGA.self) { method, settings, request in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.guidance, into: &method.guidance)
    try takeSemantics(&method.semantics, &settings, request, standard: .sega)
  } prepare: { method, _ in
    PreparedMethod(method: method, evaluations: method.evaluations) { inputs, model, tape, observer in
      try await method.generate(
        inputs.targetCondition!, concepts: inputs.conceptConditions, height: inputs.height,
        width: inputs.width, channels: inputs.channels, model: model, tape: tape, observer: observer)
    }
  }

  private static func takeInversion(
    _ method: inout DDPMInversion, _ settings: inout SettingsReader, _ request: EditRequest
  ) throws {
    try settings.take(.steps, into: &method.steps)
    try settings.take(.guidance, into: &method.targetGuidance)
    try settings.take(.sourceGuidance, into: &method.sourceGuidance)
    try refuseSourceGuidance(settings, request, request.method)
    try settings.take(.eta, into: &method.eta)
    // The papers promise perfect reconstruction, which needs the last noise; the released code drops it.
    var dropsLastNoise = false
    try settings.take(.officialLastStep, into: &dropsLastNoise)
    method.keepsLastNoise = !dropsLastNoise
    // The command line gives the part of the steps to skip.
    var skip = 0.36
    try settings.take(.skip, into: &skip)
    guard (0..<1).contains(skip) else {
      throw RequestError.settingValue(
        setting: "skip", value: "\(skip)", allowed: "a part of the steps from 0 to under 1")
    }
    method.skip = DDPMInversion.skippedLevels(skip, of: method.steps)
  }

  /// Without a source prompt the picture is inverted unguided.
  private static func refuseSourceGuidance(
    _ settings: SettingsReader, _ request: EditRequest, _ method: String
  ) throws {
    if !request.hasSourceText { try settings.refuse(.sourceGuidance, of: method, "without a source prompt") }
  }

  private static func takeSemantics(
    _ semantics: inout SemanticGuidance, _ settings: inout SettingsReader, _ request: EditRequest,
    standard: Concept
  ) throws {
    try settings.take(.momentumScale, into: &semantics.momentumScale)
    try settings.take(.momentumBeta, into: &semantics.momentumBeta)
    let standard = try takeConcept(standard, &settings)
    semantics.concepts = request.concepts.map { $0.concept(standard: standard) }
  }

  /// What a concept is where its own text says nothing.
  private static func takeConcept(_ standard: Concept, _ settings: inout SettingsReader) throws -> Concept {
    var concept = standard
    try settings.take(.conceptScale, into: &concept.scale)
    try settings.take(.conceptThreshold, into: &concept.threshold)
    try settings.take(.conceptWarmup, into: &concept.warmup)
    try settings.take(.conceptCooldown, into: &concept.cooldown)
    return concept
  }
}

extension EditRequest {
  var hasSourceText: Bool { !(sourcePrompt ?? "").isEmpty }
  var hasTargetText: Bool { !(prompt ?? "").isEmpty }
}
