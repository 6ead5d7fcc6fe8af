import Editing
import StableDiffusion
import Tensors

/// What a method works on, encoded.
struct EditInputs: Sendable {
  /// Latent of the picture; nil for text-to-image.
  var source: Latent?
  /// To be used instead of inverting the source.
  var inversion: Inversion?
  var sourceCondition: Condition?
  var targetCondition: Condition?
  /// Of the request's concepts, in order.
  var conceptConditions: [Condition] = []
  /// 1 = editable; the size of the latent.
  var mask: Mask?
  /// Cells of the latent.
  var height: Int
  var width: Int
  var channels: Int
}

/// A method with its settings in place, ready to run.
struct PreparedMethod: Sendable {
  var method: any EditingMethod
  /// Network evaluations of the run.
  var evaluations: Int
  /// Settings that did not come from the method itself.
  var sources: [Setting: SettingsReader.Source] = [:]
  /// Whether the network's attention maps are read.
  var readsAttention = false
  var run: @Sendable (EditInputs, Diffusion<NoiseNetwork>, any NoiseTape, EditObserver) async throws -> Latent

  var name: String { type(of: method).about.name }

  /// Bytes that the method stores, an inversion that was given not counted.
  func storageBytes(_ request: EditRequest, height: Int, width: Int) -> Int {
    let channels = AutoencoderConfiguration.latentChannels
    guard let method = method as? any InvertingMethod else {
      return method.storageBytes(height: height, width: width, channels: channels)
    }
    return method.storageBytes(
      height: height, width: width, channels: channels, inversion: request.inversionUse)
  }
}

/// One method of the command: what it is, and how a request becomes a run of it.
public struct MethodEntry: Sendable {
  public let about: MethodSummary
  /// The method as the command runs it when nothing is set.
  public let defaults: any EditingMethod
  /// What can be set.
  public let settings: Set<Setting>
  /// How a mask becomes as small as the latent.
  public let maskRule: MaskRule
  let findsMask: MaskFinding
  private let build: @Sendable (inout SettingsReader, EditRequest, NoiseSchedule) throws -> PreparedMethod

  /// Whether a method finds a mask where none is given.
  enum MaskFinding {
    case never
    /// Where the request asks for it.
    case onRequest
    case always
    /// Nothing binds it: where it acted is known at the end.
    case inHindsight
  }

  /// - Parameters:
  ///   - configure: puts settings and inputs in place.
  ///   - prepare: makes a run of a method whose values have been checked.
  init<Method: EditingMethod>(
    _ type: Method.Type, maskRule: MaskRule = .soft, findsMask: MaskFinding = .never,
    configure: @escaping @Sendable (inout Method, inout SettingsReader, EditRequest) throws -> Void,
    prepare: @escaping @Sendable (Method, EditRequest) -> PreparedMethod
  ) {
    about = Method.about
    self.maskRule = maskRule
    self.findsMask = findsMask
    var method = Method()
    var reader = SettingsReader(caller: [:], model: [:])
    // With nothing set there is nothing to refuse.
    try? configure(&method, &reader, EditRequest(method: about.name, width: 0, height: 0))
    defaults = method
    settings = reader.taken
    build = { @Sendable reader, request, schedule in
      var method = Method()
      try configure(&method, &reader, request)
      try reader.refuseTheRest(of: Method.about.name)
      try method.validate(on: schedule)
      return prepare(method, request)
    }
  }

  /// Every method that the command knows, in the order in which it lists them.
  public static let all: [MethodEntry] = [
    .ddpmInversion, .ledits, .leditsPlusPlus, .deltaDenoisingScore, .scoreDistillation, .sdedit,
    .ddimInversion, .cycleDiffusion, .cycleSDE, .diffEdit, .inpaint, .drag, .textToImage, .sega,
  ]

  /// - Throws: `RequestError.unknownMethod`.
  public static func named(_ name: String) throws -> MethodEntry {
    guard let entry = all.first(where: { $0.about.name == name }) else {
      throw RequestError.unknownMethod(name, known: all.map(\.about.name))
    }
    return entry
  }

  /// Whether an edit has a mask, given or found, outside of which it leaves the latent as it is.
  public func obeysMask(_ request: EditRequest) -> Bool {
    request.mask != nil || findsMask == .always || (findsMask == .onRequest && request.findsMask)
  }

  /// Whether there is a mask at the end of an edit, if only to look at.
  public func hasMask(_ request: EditRequest) -> Bool { obeysMask(request) || findsMask == .inHindsight }

  /// Settings in place, inputs checked against what the method needs.
  ///
  /// - Parameter model: the model's own defaults.
  func prepare(_ request: EditRequest, on schedule: NoiseSchedule, model: ModelDefaults) throws
    -> PreparedMethod
  {
    try checkInputs(request)
    var reader = SettingsReader(
      caller: request.settings, inversion: request.inversion?.inversion.settings ?? [:],
      model: model.settings(for: about.name))
    // A parameter is told by the name under which it is set.
    func option(_ name: String) -> String { Setting(parameter: name).map { "--\($0.rawValue)" } ?? name }
    do {
      var prepared = try build(&reader, request, schedule)
      if let saved = request.inversion, let method = prepared.method as? any InvertingMethod {
        try method.check(saved.inversion)
      }
      prepared.sources = reader.sources
      return prepared
    } catch EditError.parameter(let method, let name, let value, let allowed) {
      throw EditError.parameter(method: method, name: option(name), value: value, allowed: allowed)
    } catch EditError.inversionMade(let name, let made, let asked) where name != "keep-last-noise" {
      throw EditError.inversionMade(with: option(name), made: made, asked: asked)
    }
  }

  /// - Throws: `InversionError.notUsed`, `EditError.inversionDoesNotFit` for an inversion of another method.
  func checkInversion(of request: EditRequest) throws {
    guard request.inversionUse != .discarded else { return }
    guard let method = defaults as? any InvertingMethod else {
      let known = Self.all.filter { $0.defaults is any InvertingMethod }.map(\.about.name)
      throw InversionError.notUsed(method: about.name, known: known)
    }
    if let saved = request.inversion { try method.checkFamily(saved.inversion) }
  }

  private func checkInputs(_ request: EditRequest) throws {
    let given: [(MethodSummary.Need, String, Bool)] = [
      (.image, "a picture (--image)", request.picture != nil || request.inversion != nil),
      (.sourcePrompt, "a source prompt (--source-prompt, \"\" is allowed)", request.sourcePrompt != nil),
      (.targetPrompt, "a prompt (--prompt)", request.prompt != nil),
      (.mask, "a mask (--mask)", request.mask != nil),
      (.points, "points (--drag x0,y0:x1,y1)", !request.moves.isEmpty),
      (.concepts, "a concept (--concept \"+snow\")", !request.concepts.isEmpty),
    ]
    for (need, words, isGiven) in given {
      if about.needs.contains(need), !isGiven {
        throw RequestError.missingInput(input: words, method: about.name)
      }
      if isGiven, !about.needs.contains(need), !about.accepts.contains(need) {
        throw RequestError.inputNotUsed(input: words, method: about.name)
      }
    }
    // Every concept counts among the others, one that says nothing too.
    for concept in request.concepts where concept.text.allSatisfy(\.isWhitespace) {
      throw RequestError.concept(concept.text, reason: "it has no text")
    }
    if request.findsMask, findsMask == .never {
      throw RequestError.inputNotUsed(input: "--mask auto", method: about.name)
    }
  }
}
