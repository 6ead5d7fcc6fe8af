import Editing
import Tensors

/// What a method works on, encoded.
struct EditInputs: Sendable {
  /// Latent of the picture; nil for text-to-image.
  var source: Latent?
  var sourceCondition: Condition?
  var targetCondition: Condition?
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
  var run:
    @Sendable (EditInputs, Diffusion<NoiseNetwork>, any NoiseTape, EditObserver) async throws -> Latent

  var name: String { type(of: method).about.name }
}

/// One method of the command: what it is, and how a request becomes a run of it.
public struct MethodEntry: Sendable {
  public let about: MethodSummary
  /// The method as it is when nothing is set.
  public let defaults: any EditingMethod
  let prepare: @Sendable (inout SettingsReader, EditRequest) throws -> PreparedMethod

  /// Every method that the command knows, in the order in which it lists them.
  public static let all: [MethodEntry] = [.ddpmInversion, .sdedit, .textToImage]

  /// - Throws: `RequestError.unknownMethod`.
  static func named(_ name: String) throws -> MethodEntry {
    guard let entry = all.first(where: { $0.about.name == name }) else {
      throw RequestError.unknownMethod(name, known: all.map(\.about.name))
    }
    return entry
  }

  /// Settings in place, inputs checked against what the method needs.
  func prepare(_ request: EditRequest, on schedule: NoiseSchedule) throws -> PreparedMethod {
    try checkInputs(request)
    var reader = SettingsReader(request.settings)
    let prepared = try prepare(&reader, request)
    try reader.refuseTheRest(of: about.name)
    try prepared.method.validate(on: schedule)
    return prepared
  }

  private func checkInputs(_ request: EditRequest) throws {
    let given: [(MethodSummary.Need, String, Bool)] = [
      (.image, "a picture (--image)", request.picture != nil),
      (.sourcePrompt, "a source prompt (--source-prompt, \"\" is allowed)", request.sourcePrompt != nil),
      (.targetPrompt, "a prompt (--prompt)", request.prompt != nil),
    ]
    for (need, words, isGiven) in given {
      if about.needs.contains(need), !isGiven {
        throw RequestError.missingInput(input: words, method: about.name)
      }
      if isGiven, !about.needs.contains(need), !about.accepts.contains(need) {
        throw RequestError.inputNotUsed(input: words, method: about.name)
      }
    }
  }
}
