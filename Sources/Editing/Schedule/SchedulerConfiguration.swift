/// A checkpoint's `scheduler_config.json`, as far as it matters here. Absent keys take the values of
/// Stable Diffusion.
public struct SchedulerConfiguration: Sendable, Equatable, Codable {
  public var betaSchedule: String?
  public var betaStart: Double?
  public var betaEnd: Double?
  public var trainingSteps: Int?
  public var predictionType: String?
  public var setsAlphaToOne: Bool?
  public var stepsOffset: Int?
  public var clipsSample: Bool?
  public var thresholding: Bool?
  public var rescalesToZeroTerminalSNR: Bool?
  public var trainedBetas: [Double]?

  enum CodingKeys: String, CodingKey {
    case betaSchedule = "beta_schedule"
    case betaStart = "beta_start"
    case betaEnd = "beta_end"
    case trainingSteps = "num_train_timesteps"
    case predictionType = "prediction_type"
    case setsAlphaToOne = "set_alpha_to_one"
    case stepsOffset = "steps_offset"
    case clipsSample = "clip_sample"
    case thresholding
    case rescalesToZeroTerminalSNR = "rescale_betas_zero_snr"
    case trainedBetas = "trained_betas"
  }

  public init() {}

  /// The same with every value that matters written down, so that two files that mean one schedule are equal.
  package var complete: SchedulerConfiguration {
    var all = SchedulerConfiguration()
    all.betaSchedule = betaSchedule ?? "scaled_linear"
    all.betaStart = betaStart ?? 0.00085
    all.betaEnd = betaEnd ?? 0.012
    all.trainingSteps = trainingSteps ?? NoiseSchedule.trainingSteps
    all.predictionType = predictionType ?? PredictionType.epsilon.rawValue
    all.setsAlphaToOne = setsAlphaToOne ?? false
    all.stepsOffset = stepsOffset ?? 1
    return all
  }
}

extension NoiseSchedule {
  /// - Throws: `EditError` naming the option that no method here is defined for.
  public init(_ configuration: SchedulerConfiguration) throws(EditError) {
    let c = configuration
    if c.trainedBetas != nil { throw .unsupportedScheduler(option: "trained_betas", value: "a list") }
    if let steps = c.trainingSteps, steps != Self.trainingSteps {
      throw .unsupportedScheduler(option: "num_train_timesteps", value: "\(steps)")
    }
    if c.clipsSample == true { throw .unsupportedScheduler(option: "clip_sample", value: "true") }
    if c.thresholding == true { throw .unsupportedScheduler(option: "thresholding", value: "true") }
    if c.rescalesToZeroTerminalSNR == true {
      throw .unsupportedScheduler(option: "rescale_betas_zero_snr", value: "true")
    }
    if let offset = c.stepsOffset, !(0...1).contains(offset) {
      throw .unsupportedScheduler(option: "steps_offset", value: "\(offset)")
    }
    let all = c.complete
    try self.init(
      kind: all.betaSchedule!, betaStart: all.betaStart!, betaEnd: all.betaEnd!, prediction: all.predictionType!,
      setsAlphaToOne: all.setsAlphaToOne!, stepsOffset: all.stepsOffset!)
  }
}
