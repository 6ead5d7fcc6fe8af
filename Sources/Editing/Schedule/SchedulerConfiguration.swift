import JSON

/// A checkpoint's `scheduler_config.json`, as far as it matters here. Absent keys take the values of
/// Stable Diffusion.
package struct SchedulerConfiguration: Sendable, Equatable, Encodable {
  package var className: String?
  package var betaSchedule: String?
  package var betaStart: Double?
  package var betaEnd: Double?
  package var trainingSteps: Int?
  package var predictionType: String?
  package var setsAlphaToOne: Bool?
  package var stepsOffset: Int?
  package var clipsSample: Bool?
  package var thresholding: Bool?
  package var rescalesToZeroTerminalSNR: Bool?
  package var trainedBetas: [Double]?
  package var timestepSpacing: String?
  package var originalSteps: Int?
  package var timestepScaling: Double?

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
    case timestepSpacing = "timestep_spacing"
    case originalSteps = "original_inference_steps"
    case timestepScaling = "timestep_scaling"
    case className = "_class_name"
  }

  package init() {}

  /// - Throws: `ConfigurationError` for a value of another kind.
  package init(_ json: ConfigValue) throws(ConfigurationError) {
    func value<T>(
      _ key: CodingKeys, _ read: (ConfigValue) throws(ConfigurationError) -> T
    ) throws(ConfigurationError) -> T? {
      let value = json[key.rawValue]
      return value.isPresent ? try read(value) : nil
    }
    func text(_ value: ConfigValue) throws(ConfigurationError) -> String { try value.string() }
    func number(_ value: ConfigValue) throws(ConfigurationError) -> Double { try value.real() }
    func flag(_ value: ConfigValue) throws(ConfigurationError) -> Bool { try value.bool() }
    func count(_ value: ConfigValue) throws(ConfigurationError) -> Int { try value.integer() }
    className = try value(.className, text)
    betaSchedule = try value(.betaSchedule, text)
    betaStart = try value(.betaStart, number)
    betaEnd = try value(.betaEnd, number)
    trainingSteps = try value(.trainingSteps, count)
    predictionType = try value(.predictionType, text)
    setsAlphaToOne = try value(.setsAlphaToOne, flag)
    stepsOffset = try value(.stepsOffset, count)
    clipsSample = try value(.clipsSample, flag)
    thresholding = try value(.thresholding, flag)
    rescalesToZeroTerminalSNR = try value(.rescalesToZeroTerminalSNR, flag)
    timestepSpacing = try value(.timestepSpacing, text)
    originalSteps = try value(.originalSteps, count)
    timestepScaling = try value(.timestepScaling, number)
    trainedBetas = try value(.trainedBetas) { (list) throws(ConfigurationError) in
      try list.elements().map { (beta) throws(ConfigurationError) in try beta.real() }
    }
  }

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
    all.timestepSpacing = timestepSpacing == "trailing" ? "trailing" : "leading"
    if samplesConsistently {
      all.className = Self.consistencySampler
      all.originalSteps = originalSteps ?? ConsistencyRule().originalSteps
      all.timestepScaling = timestepScaling ?? ConsistencyRule().timestepScaling
    }
    return all
  }

  /// Whether the model's own sampler is that of latent consistency models.
  package var samplesConsistently: Bool { className == Self.consistencySampler }

  /// The class of latent consistency models' samplers.
  package static let consistencySampler = "LCMScheduler"
}

extension NoiseSchedule {
  /// - Throws: `EditError` naming the option that no method here is defined for.
  package init(_ configuration: SchedulerConfiguration) throws(EditError) {
    let c = configuration
    if let name = c.className, let other = Self.otherSamplers.first(where: { name.hasPrefix($0.prefix) }) {
      throw .unsupportedSampler(name, reason: other.reason)
    }
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
      kind: all.betaSchedule!, betaStart: all.betaStart!, betaEnd: all.betaEnd!,
      prediction: all.predictionType!,
      setsAlphaToOne: all.setsAlphaToOne!, stepsOffset: all.stepsOffset!, spacing: c.spacing,
      consistency: c.consistency)
    // Every level holds signal and noise, and none more signal than the one before.
    guard alphaBars.allSatisfy({ $0 > 0 && $0 < 1 }), zip(alphaBars, alphaBars.dropFirst()).allSatisfy(>=)
    else {
      throw .unsupportedScheduler(
        option: "beta_start and beta_end", value: "\(all.betaStart!) and \(all.betaEnd!)")
    }
  }

  /// Samplers whose networks answer another question than "which noise is in this latent".
  private static let otherSamplers = [
    (prefix: "TCD", reason: "its network was distilled for trajectory consistency in few steps"),
    (prefix: "CMStochasticIterative", reason: "its network is a consistency model"),
    (prefix: "FlowMatch", reason: "its network predicts a flow"),
    (prefix: "EDM", reason: "its network was trained on another scale of noise"),
    (prefix: "VQDiffusion", reason: "its network predicts tokens"),
    (prefix: "ScoreSde", reason: "its network predicts a score"),
  ]
}

extension SchedulerConfiguration {
  /// Values of another sampler's configuration mean something else, or nothing.
  fileprivate var consistency: ConsistencyRule {
    get throws(EditError) {
      var rule = ConsistencyRule()
      guard samplesConsistently else { return rule }
      rule.originalSteps = originalSteps ?? rule.originalSteps
      rule.timestepScaling = timestepScaling ?? rule.timestepScaling
      guard (1...NoiseSchedule.trainingSteps).contains(rule.originalSteps) else {
        throw .unsupportedScheduler(
          option: CodingKeys.originalSteps.rawValue, value: "\(rule.originalSteps)")
      }
      guard rule.timestepScaling > 0, rule.timestepScaling <= 1e6 else {
        throw .unsupportedScheduler(
          option: CodingKeys.timestepScaling.rawValue, value: "\(rule.timestepScaling)")
      }
      return rule
    }
  }

  /// The trailing one where it is asked for; the methods define all others away (they run on leading grids).
  fileprivate var spacing: NoiseSchedule.Spacing {
    get throws(EditError) {
      switch timestepSpacing {
      case nil, "leading", "linspace": return .leading
      case "trailing": return .trailing
      case let other?: throw .unsupportedScheduler(option: "timestep_spacing", value: other)
      }
    }
  }
}
