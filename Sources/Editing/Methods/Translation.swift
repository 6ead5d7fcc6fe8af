import Tensors

/// One pass of a network that was trained for a pair of prompts; the diffusion model has nothing to do (Hertz, Aberman &
/// Cohen-Or 2023, section 5).
///
///     z = z_src + M·(G(z_src) − z_src)
///
/// Draws nothing.
public struct Translation: EditingMethod {
  public init() {}

  public static let about = MethodSummary(
    name: "translate", summary: "One pass of a network trained for the task by train-translator.",
    paper: "Hertz, Aberman & Cohen-Or 2023, Delta Denoising Score, section 5",
    goals: [.colour, .object, .fast], needs: [.image, .translator], accepts: [.mask], evaluations: "0")

  public static let parameters: [Parameter<Translation>] = []

  public func evaluations(_ outline: EditOutline) -> Int { 0 }
  /// The photo's latent, and its translation.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    bytes(2, height, width, channels)
  }
  public func demands(_ outline: EditOutline) -> NetworkDemands { .translator }
  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {}

  /// With a mask, what lies outside it comes back bit for bit.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    let (source, observer) = (try inputs.photo(for: name), context.observer)
    guard let translator = context.translator, let task = inputs.outline.task else {
      throw EditError.missing(method: name, need: "a translator and its task")
    }
    try inputs.mask?.check(for: source)
    if let mask = inputs.mask, mask.leavesNothing(observer) { return source }
    let translated = try await translator.translate(source, task: task)
    let z = try (inputs.mask?.blend(inside: translated, outside: source) ?? translated)
      .checked(name, step: 1)
    observer("out", z)
    return z
  }
}

extension EditMethod {
  /// One pass of a translation network (`translate`).
  public static func translate() -> EditMethod { EditMethod(Translation.self) }
}
