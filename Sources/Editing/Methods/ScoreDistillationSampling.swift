import Tensors

/// Score distillation sampling applied to a photo's latent (Poole et al. 2023), the baseline that the delta
/// denoising score improves on: its gradient vanishes on a matched picture and prompt only on average.
///
///     z ← z − lr·L/(h·w)·M·(ε̃(x; target) − n)
///
/// Draws: 2k the timestep, 2k + 1 the noise of iteration k.
public struct ScoreDistillationSampling: ScoreDescent {
  public var iterations = 200
  public var guidance = 7.5
  public var learningRate = 0.1
  public var lossScale: Double?
  public var timesteps = 50...948
  public var signalExponent = 0
  public var noiseExponent = 0

  public init() {}

  public static let about = MethodSummary(
    name: "sds", summary: "Moves the photo's latent towards the prompt; blurs, the baseline of dds.",
    paper: "Poole et al. 2023, DreamFusion; Hertz et al. 2023", needs: [.image, .targetPrompt],
    accepts: [.mask],
    evaluations: "2·iterations = 400")

  public var evaluations: Int { iterations * Guidance(guidance).evaluations }
  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int { 0 }

  /// - Parameter mask: 1 = editable; outside it `source` comes back bit for bit.
  /// - Throws: `EditError.diverged` beyond |z| = 10⁴.
  public func edit(
    _ source: Latent, to target: Condition, mask: Mask? = nil, model: Diffusion<some NoisePredictor>,
    tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try await descend(
      from: source, to: target, relativeTo: nil, mask: mask, model: model, tape: tape, observer: observer)
  }
}
