import Tensors

/// Delta denoising score: move a latent along the difference of two noise predictions, one for the latent
/// and the target prompt, one for the photo and its own prompt (Hertz, Aberman & Cohen-Or 2023).
///
///     z ← z − lr·L/(h·w)·M·(ε̃(x; target) − ε̃(x_ref; source))
///
/// Draws: 2k the timestep, 2k + 1 the noise of iteration k.
public struct DeltaDenoisingScore: NoiseScoreDescent {
  public var iterations = 200
  public var guidance = 7.5
  public var learningRate = 0.1
  public var lossScale: Double?
  public var firstTimestep = 50
  public var lastTimestep = 948
  public var signalExponent = 0
  public var noiseExponent = 0

  public init() {}

  public static let about = MethodSummary(
    name: "dds", summary: "Moves the photo's latent along the difference of the two prompts' predictions.",
    paper: "Hertz, Aberman & Cohen-Or 2023, Delta Denoising Score",
    goals: [.colour, .object], needs: [.image, .sourcePrompt, .targetPrompt], accepts: [.mask],
    needsWords: true,
    evaluations: "4·iterations = 800")

  public static var caseKinds: [String: Self] { ["dds": Self()] }

  public func evaluations(_ outline: EditOutline) -> Int { 2 * iterations * Guidance(guidance).evaluations }
  /// Both prompts' guided predictions.
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int { 2 * Guidance(guidance).evaluations }
  /// The photo's latent, which the reference branch reads.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    bytes(1, height, width, channels)
  }

  /// With a mask, what lies outside it comes back bit for bit.
  ///
  /// - Throws: `EditError.diverged` beyond |z| = 10⁴.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try await descend(inputs, relativeTo: try inputs.reference(for: name), in: context)
  }
}

extension EditMethod {
  /// Delta denoising score (`dds`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func deltaDenoisingScore(
    steps: Int? = nil, guidance: Double? = nil, learningRate: Double? = nil, lossScale: Double? = nil
  ) -> EditMethod {
    descent(
      DeltaDenoisingScore.self, steps: steps, guidance: guidance, learningRate: learningRate,
      lossScale: lossScale)
  }
}
