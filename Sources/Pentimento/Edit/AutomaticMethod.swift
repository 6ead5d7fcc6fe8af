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
  /// - Parameter request: all of it but its method.
  /// - Throws: `RequestError.nothingToChoose`, `RequestError.unknownMethod`.
  public static func resolve(
    _ name: String, settings: MethodSettings, for request: EditRequest
  ) throws -> (method: EditMethod, reason: String?) {
    let (name, reason): (String, String?) =
      switch name {
      case "auto": try choose(for: request)
      case "sega" where request.picture != nil: (LEDITS.name, "sega on a picture is what ledits does")
      default: (name, nil)
      }
    return (try EditMethod(named: name, settings: settings), reason)
  }

  /// The method that fits what was given, and why.
  ///
  /// - Throws: `RequestError.nothingToChoose`.
  static func choice(for request: EditRequest) throws -> (method: EditMethod, reason: String?) {
    try resolve("auto", settings: [:], for: request)
  }

  private static func choose(for request: EditRequest) throws -> (name: String, reason: String) {
    guard let saved = request.inversion else {
      return try choose(for: request, hasPicture: request.picture != nil)
    }
    // Of the methods that can use the inversion, the one that the inputs ask for, or else the one that made it.
    if let choice = try? choose(for: request, hasPicture: true),
      let type = EditMethods.all.named(choice.name) as? any InvertingMethod.Type,
      type.inversionFamily == saved.inversion.family
    {
      return choice
    }
    return (saved.origin.method, "it made the inversion")
  }

  private static func choose(
    for request: EditRequest, hasPicture: Bool
  ) throws -> (name: String, reason: String) {
    let hasPrompt = !(request.prompt ?? "").allSatisfy(\.isWhitespace)
    guard hasPicture else {
      return request.concepts.isEmpty
        ? ("generate", "there is no picture") : ("sega", "there are concepts and no picture")
    }
    if request.translator != nil { return (Translation.name, "there is a translator") }
    if !request.moves.isEmpty { return ("drag", "there are points to drag") }
    if !request.concepts.isEmpty {
      return request.mask == nil || hasPrompt
        ? ("ledits", "there are concepts") : ("ledits++", "there are concepts and a mask for them")
    }
    if request.findsMask, hasPrompt, request.sourcePrompt != nil {
      return ("diffedit", "a mask is to be found between a source and a target prompt")
    }
    if request.mask != nil, hasPrompt {
      return request.sourcePrompt == nil
        ? ("inpaint", "there is a mask") : ("diffedit", "there are a mask, a source and a target prompt")
    }
    if hasPrompt { return ("ddpm-inversion", "there is a picture and a prompt for it") }
    throw RequestError.nothingToChoose
  }
}
