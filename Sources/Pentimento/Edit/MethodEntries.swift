import Editing
import Tensors

/// Methods that follow prompts alone.
extension MethodEntry {
  static let textToImage = MethodEntry(TextToImage.self) { method, settings, _ in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.guidance, into: &method.guidance)
    try settings.take(.sampler, into: &method.sampler)
  } prepare: { method, _ in
    PreparedMethod(method: method, evaluations: method.evaluations) { inputs, model, tape, observer in
      try await method.generate(
        inputs.targetCondition!, height: inputs.height, width: inputs.width, channels: inputs.channels,
        model: model, tape: tape, observer: observer)
    }
  }

  static let sdedit = MethodEntry(SDEdit.self) { method, settings, request in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.guidance, into: &method.guidance)
    try settings.take(.strength, into: &method.strength)
    try settings.take(.sampler, into: &method.sampler)
    try requireText(request.prompt, SDEdit.name)
  } prepare: { method, _ in
    PreparedMethod(method: method, evaluations: method.evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, to: inputs.targetCondition!, model: model, tape: tape, observer: observer)
    }
  }

  static let ddimInversion = MethodEntry(DDIMTranslation.self) { method, settings, _ in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.strength, into: &method.strength)
    try settings.take(.sourceGuidance, into: &method.sourceGuidance)
    try settings.take(.guidance, into: &method.targetGuidance)
  } prepare: { method, request in
    let evaluations = method.evaluations(inversion: request.inversionUse)
    return PreparedMethod(method: method, evaluations: evaluations) { inputs, model, _, observer in
      try await method.edit(
        inputs.source!, from: inputs.sourceCondition!, to: inputs.targetCondition!, given: inputs.inversion,
        model: model, observer: observer)
    }
  }

  static let cycleDiffusion = MethodEntry(CycleDiffusion.self) { method, settings, _ in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.strength, into: &method.strength)
    try settings.take(.sourceGuidance, into: &method.sourceGuidance)
    try settings.take(.guidance, into: &method.targetGuidance)
    try settings.take(.eta, into: &method.eta)
  } prepare: { method, request in
    let evaluations = method.evaluations(inversion: request.inversionUse)
    return PreparedMethod(method: method, evaluations: evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, from: inputs.sourceCondition!, to: inputs.targetCondition!, given: inputs.inversion,
        model: model, tape: tape, observer: observer)
    }
  }

  static let cycleSDE = MethodEntry(CycleSDE.self) { method, settings, _ in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.strength, into: &method.strength)
    try settings.take(.sourceGuidance, into: &method.sourceGuidance)
    try settings.take(.guidance, into: &method.targetGuidance)
  } prepare: { method, request in
    let evaluations = method.evaluations(inversion: request.inversionUse)
    return PreparedMethod(method: method, evaluations: evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, from: inputs.sourceCondition!, to: inputs.targetCondition!, given: inputs.inversion,
        model: model, tape: tape, observer: observer)
    }
  }

  static let deltaDenoisingScore = MethodEntry(DeltaDenoisingScore.self) { method, settings, request in
    try takeDescent(&method, &settings)
    try requireText(request.prompt, DeltaDenoisingScore.name)
  } prepare: { method, _ in
    PreparedMethod(method: method, evaluations: method.evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, from: inputs.sourceCondition!, to: inputs.targetCondition!, mask: inputs.mask,
        model: model, tape: tape, observer: observer)
    }
  }

  static let scoreDistillation = MethodEntry(ScoreDistillationSampling.self) { method, settings, request in
    try takeDescent(&method, &settings)
    try requireText(request.prompt, ScoreDistillationSampling.name)
  } prepare: { method, _ in
    PreparedMethod(method: method, evaluations: method.evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, to: inputs.targetCondition!, mask: inputs.mask, model: model, tape: tape,
        observer: observer)
    }
  }

  private static func takeDescent<Method: ScoreDescent>(
    _ method: inout Method, _ settings: inout SettingsReader
  ) throws {
    try settings.take(.steps, into: &method.iterations)
    // To the method itself none is the limit where nothing changes; to a user it is a slip.
    guard method.iterations != 0 else {
      throw RequestError.settingValue(setting: "steps", value: "0", allowed: "at least 1")
    }
    try settings.take(.guidance, into: &method.guidance)
    try settings.take(.learningRate, into: &method.learningRate)
    try settings.take(.lossScale, into: &method.lossScale)
  }

  static func requireText(_ prompt: String?, _ method: String) throws {
    if let prompt, prompt.allSatisfy(\.isWhitespace) { throw RequestError.emptyPrompt(method: method) }
  }
}
