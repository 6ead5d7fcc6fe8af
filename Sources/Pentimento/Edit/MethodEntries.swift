import Editing

extension MethodEntry {
  static let ddpmInversion = MethodEntry(about: DDPMInversion.about, defaults: DDPMInversion()) {
    settings, request in
    var method = DDPMInversion()
    // The papers promise perfect reconstruction, which needs the last noise; the released code drops it.
    method.keepsLastNoise = !(settings.take(\.endsWithoutNoise) ?? false)
    settings.take(\.steps, into: &method.steps)
    settings.take(\.guidance, into: &method.targetGuidance)
    settings.take(\.sourceGuidance, into: &method.sourceGuidance)
    settings.take(\.eta, into: &method.eta)
    method.skip = try skippedLevels(settings.take(\.skip) ?? 0.36, of: method.steps)
    let hasSource = !(request.sourcePrompt ?? "").isEmpty
    return PreparedMethod(method: method, evaluations: method.evaluations(hasSourcePrompt: hasSource)) {
      [method] inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, from: hasSource ? inputs.sourceCondition : nil, to: inputs.targetCondition!,
        model: model, tape: tape, observer: observer)
    }
  }

  static let sdedit = MethodEntry(about: SDEdit.about, defaults: SDEdit()) { settings, request in
    var method = SDEdit()
    settings.take(\.steps, into: &method.steps)
    settings.take(\.guidance, into: &method.guidance)
    settings.take(\.strength, into: &method.strength)
    settings.take(\.sampler, into: &method.sampler)
    try requireText(request.prompt, SDEdit.name)
    return PreparedMethod(method: method, evaluations: method.evaluations) {
      [method] inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, to: inputs.targetCondition!, model: model, tape: tape, observer: observer)
    }
  }

  static let textToImage = MethodEntry(about: TextToImage.about, defaults: TextToImage()) {
    settings, request in
    var method = TextToImage()
    settings.take(\.steps, into: &method.steps)
    settings.take(\.guidance, into: &method.guidance)
    settings.take(\.sampler, into: &method.sampler)
    return PreparedMethod(method: method, evaluations: method.evaluations) {
      [method] inputs, model, tape, observer in
      try await method.generate(
        inputs.targetCondition!, height: inputs.height, width: inputs.width, channels: inputs.channels,
        model: model, tape: tape, observer: observer)
    }
  }

  private static func requireText(_ prompt: String?, _ method: String) throws {
    if let prompt, prompt.allSatisfy(\.isWhitespace) { throw RequestError.emptyPrompt(method: method) }
  }

  /// The command line gives the part of the steps to skip.
  private static func skippedLevels(_ fraction: Double, of steps: Int) throws -> Int {
    guard fraction.isFinite, (0..<1).contains(fraction) else {
      throw EditError.parameter(
        method: DDPMInversion.name, name: "skip", value: "\(fraction)", allowed: "a fraction of the steps, 0 to 1")
    }
    return DDPMInversion.skippedLevels(fraction, of: steps)
  }
}
