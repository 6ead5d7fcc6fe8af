import Tensors

/// Delta denoising score: move a latent along the difference of two noise predictions, one for the latent
/// and the target prompt, one for the photo and its own prompt (Hertz, Aberman & Cohen-Or 2023).
///
///     z ← z − lr·L/(h·w)·M·(ε̃(x; target) − ε̃(x_ref; source))
///
/// Draws: 2k the timestep, 2k + 1 the noise of iteration k.
public struct DeltaDenoisingScore: ScoreDescent {
  public var iterations = 200
  public var guidance = 7.5
  public var learningRate = 0.1
  public var lossScale: Double?
  public var timesteps = 50...948
  public var signalExponent = 0
  public var noiseExponent = 0

  public init() {}

  public static let about = MethodSummary(
    name: "dds", summary: "Moves the photo's latent along the difference of the two prompts' predictions.",
    paper: "Hertz, Aberman & Cohen-Or 2023, Delta Denoising Score",
    needs: [.image, .sourcePrompt, .targetPrompt], accepts: [.mask], evaluations: "4·iterations = 800")

  public var evaluations: Int { 2 * iterations * Guidance(guidance).evaluations }
  /// The photo's latent, which the reference branch reads.
  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int {
    bytes(1, height, width, channels)
  }

  /// - Parameters:
  ///   - source: the photo's latent (posterior mean).
  ///   - reference: what the photo shows.
  ///   - mask: 1 = editable; outside it `source` comes back bit for bit.
  /// - Throws: `EditError.diverged` beyond |z| = 10⁴.
  public func edit(
    _ source: Latent, from reference: Condition, to target: Condition, mask: Mask? = nil,
    model: Diffusion<some NoisePredictor>, tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try await descend(
      from: source, to: target, relativeTo: reference, mask: mask, model: model, tape: tape,
      observer: observer)
  }
}
