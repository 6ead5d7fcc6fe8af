import Editing

extension EditMethod {
  /// The method of that name.
  ///
  /// - Parameter methods: where it is looked for.
  /// - Throws: `RequestError.unknownMethod`.
  public init(
    named name: String, settings: MethodSettings = [:],
    among methods: [any EditingMethod.Type] = EditMethods.all
  ) throws {
    guard let type = methods.named(name) else {
      throw RequestError.unknownMethod(name, known: methods.names)
    }
    self.init(type, settings: settings)
  }

  /// The method that a request is run with, and why where it is not the one that was named.
  ///
  /// `auto` is chosen by what was given; SEGA on a picture is the first workflow of LEDITS (Tsaban & Passos 2023).
  ///
  /// - Parameters:
  ///   - settings: that the caller gives; a choice may come with others beside them.
  ///   - request: all of it but its method.
  ///   - kind: of the model that it will run on.
  /// - Throws: `RequestError.nothingToChoose`, `RequestError.unknownMethod`.
  public static func resolve(
    _ name: String, settings: MethodSettings, for request: EditRequest, on kind: ModelKind
  ) throws -> (method: EditMethod, reason: String?) {
    switch name {
    case "auto":
      let choice = try choose(for: request, on: kind)
      if let other = method(taking: settings, insteadOf: choice, for: request) { return other }
      let settings = choice.settings.merging(settings) { _, given in given }
      return (try EditMethod(named: choice.name, settings: settings), choice.reason)
    case "sega" where request.picture != nil:
      return (EditMethod(LEDITS.self, settings: settings), "sega on a picture is what ledits does")
    default: return (try EditMethod(named: name, settings: settings), nil)
    }
  }

  /// The method that fits what was given, and why.
  ///
  /// - Throws: `RequestError.nothingToChoose`.
  static func choice(
    for request: EditRequest, on kind: ModelKind
  ) throws -> (method: EditMethod, reason: String?) {
    try resolve("auto", settings: [:], for: request, on: kind)
  }

  /// Where the choice has no use for a setting that was given: SDEdit, or else the first method that has, if what was
  /// given is what it needs.
  private static func method(
    taking settings: MethodSettings, insteadOf choice: Choice, for request: EditRequest
  ) -> (method: EditMethod, reason: String?)? {
    let given = Set(settings.keys)
    guard request.inversion == nil, !request.prefersFewSteps,
      let idle = EditMethods.all.named(choice.name).map({ given.subtracting($0.options) }), !idle.isEmpty
    else { return nil }
    let other = ([SDEdit.self] + EditMethods.all).first { type in
      given.isSubset(of: type.options) && (try? request.checkInputs(of: EditMethod(type))) != nil
    }
    let words = idle.sorted().joined(separator: " and ")
    return other.map { (EditMethod($0, settings: settings), "\(words) \(idle.count == 1 ? "is" : "are") given") }
  }

  private struct Choice {
    var name: String
    var reason: String
    var settings: MethodSettings = [:]

    init(_ name: String, _ reason: String, _ settings: MethodSettings = [:]) {
      (self.name, self.reason, self.settings) = (name, reason, settings)
    }
  }

  private static func choose(for request: EditRequest, on kind: ModelKind) throws -> Choice {
    guard let saved = request.inversion else {
      return try choose(for: request, hasPicture: request.picture != nil, on: kind)
    }
    // Of the methods that can use the inversion, the one that the inputs ask for, or else the one that made it.
    if let choice = try? choose(for: request, hasPicture: true, on: kind),
      let type = EditMethods.all.named(choice.name) as? any InvertingMethod.Type,
      type.inversionFamily == saved.inversion.family
    {
      return choice
    }
    return Choice(saved.origin.method, "it made the inversion")
  }

  private static func choose(
    for request: EditRequest, hasPicture: Bool, on kind: ModelKind
  ) throws -> Choice {
    let hasPrompt = !(request.prompt ?? "").allSatisfy(\.isWhitespace)
    guard hasPicture else {
      return request.concepts.isEmpty
        ? Choice(TextToImage.name, "there is no picture")
        : Choice(SEGA.name, "there are concepts and no picture")
    }
    if request.translator != nil { return Choice(Translation.name, "there is a translator") }
    if !request.moves.isEmpty { return Choice(Drag.name, "there are points to drag") }
    if !request.concepts.isEmpty {
      if request.mask != nil, !hasPrompt {
        return Choice(LEDITSPlusPlus.name, "there are concepts and a mask for them")
      }
      return request.prefersFewSteps && !hasPrompt
        ? Choice(LEDITSPlusPlus.name, "there are concepts, and few steps are asked for")
        : Choice(LEDITS.name, "there are concepts")
    }
    if request.findsMask, hasPrompt {
      return Choice(DiffEdit.name, "a mask is to be found between a source and a target prompt")
    }
    guard hasPrompt else { throw RequestError.nothingToChoose }
    if let mask = chooseForMask(request, on: kind) { return mask }
    return chooseForPrompt(request, on: kind)
  }

  /// Nil without a mask.
  private static func chooseForMask(_ request: EditRequest, on kind: ModelKind) -> Choice? {
    guard request.mask != nil else { return nil }
    if kind.takesFewSteps { return Choice(SDEdit.name, "there is a mask, and the model takes few steps") }
    return request.sourcePrompt == nil
      ? Choice(Inpainting.name, "there is a mask")
      : Choice(DiffEdit.name, "there are a mask, a source and a target prompt")
  }

  private static func chooseForPrompt(_ request: EditRequest, on kind: ModelKind) -> Choice {
    guard kind.takesFewSteps || request.prefersFewSteps else {
      return Choice(DDPMInversion.name, "there is a picture and a prompt for it")
    }
    let why = kind.takesFewSteps ? "the model takes few steps" : "few steps are asked for"
    guard request.sourcePrompt != nil else {
      return kind.takesFewSteps
        ? Choice(SDEdit.name, "there is a prompt, and \(why)")
        : Choice(DDPMInversion.name, "there is a prompt, and \(why)", ["solver": .word("dpm2")])
    }
    // On ordinary models infedit does more in fewer steps.
    return Choice(
      kind.isDistilled && !kind.samplesByJumps ? TurboEdit.name : InfEdit.name,
      "there are a source and a target prompt, and \(why)")
  }
}
