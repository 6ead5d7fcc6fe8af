import Tensors

/// Score distillation sampling applied to a photo's latent (Poole et al. 2023), the baseline that the delta
/// denoising score improves on: its gradient vanishes on a matched picture and prompt only on average.
///
///     z ← z − lr·L/(h·w)·M·(ε̃(x; target) − n)
///
/// Draws: 2k the timestep, 2k + 1 the noise of iteration k.
public struct ScoreDistillationSampling: NoiseScoreDescent {
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
    name: "sds", summary: "Moves the photo's latent towards the prompt; blurs, the baseline of dds.",
    paper: "Poole et al. 2023, DreamFusion; Hertz et al. 2023", needs: [.image, .targetPrompt],
    accepts: [.mask], needsWords: true,
    evaluations: "2·iterations = 400")

  public static var caseKinds: [String: Self] { ["sds": Self()] }

  public func evaluations(_ outline: EditOutline) -> Int { iterations * Guidance(guidance).evaluations }
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int { 0 }

  /// With a mask, what lies outside it comes back bit for bit.
  ///
  /// - Throws: `EditError.diverged` beyond |z| = 10⁴.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try await descend(inputs, relativeTo: nil, in: context)
  }
}

extension EditMethod {
  /// Score distillation sampling (`sds`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func scoreDistillation(
    steps: Int? = nil, guidance: Double? = nil, learningRate: Double? = nil, lossScale: Double? = nil
  ) -> EditMethod {
    descent(
      ScoreDistillationSampling.self, steps: steps, guidance: guidance, learningRate: learningRate,
      lossScale: lossScale)
  }
}
