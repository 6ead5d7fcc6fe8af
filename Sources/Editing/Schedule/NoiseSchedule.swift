import Tensors

/// What the network was trained to predict.
public enum PredictionType: String, Sendable, Codable, CaseIterable {
  /// The noise ε (Ho et al. 2020).
  case epsilon
  /// The velocity v = a·ε − s·x₀ (Salimans & Ho 2022).
  case velocity = "v_prediction"
}

/// The training noise schedule: how much signal and noise a latent holds at each timestep.
///
///     q(x_t | x_0) = N(a_t·x_0, s_t²),   a_t = √ᾱ_t,   s_t = √(1 − ᾱ_t),   ᾱ_t = Π_{j≤t} (1 − β_j)
///
/// (Ho et al. 2020, eq. 4.) The table holds Floats, since the network was trained with these; every
/// coefficient made from it is a Double.
public struct NoiseSchedule: Sendable, Equatable {
  /// ᾱ_t for t = 0…999.
  public let alphaBars: [Float]
  /// β_t, the part of the variance that training step t renews.
  let betas: [Float]
  public let prediction: PredictionType
  /// Whether the clean end of a leading grid is ᾱ = 1 instead of ᾱ_0.
  public let setsAlphaToOne: Bool
  /// Added to every timestep of a leading grid.
  public let stepsOffset: Int
  /// Which timesteps a run takes of the thousand.
  public let spacing: Spacing
  /// How a latent consistency model was distilled; of the published ones where the model is none.
  package let consistency: ConsistencyRule

  /// Where a grid of few timesteps begins.
  public enum Spacing: String, Sendable, CaseIterable {
    /// At the clean end, the noisiest timestep is left out: the samplers of Stable Diffusion.
    case leading
    /// At the noisy end, and it ends at ᾱ = 1: models distilled to few steps, and a few others.
    case trailing
  }

  public static let trainingSteps = 1000

  /// - Parameters:
  ///   - kind: `scaled_linear` (√β rises linearly) or `linear` (β does).
  ///   - prediction: `epsilon` or `v_prediction`.
  /// - Throws: `EditError.unsupportedSchedule` or `.unsupportedPrediction` with the name that was given.
  public init(
    kind: String = "scaled_linear", betaStart: Double = 0.00085, betaEnd: Double = 0.012,
    prediction: String = "epsilon", setsAlphaToOne: Bool = false, stepsOffset: Int = 1,
    spacing: Spacing = .leading
  ) throws(EditError) {
    try self.init(
      kind: kind, betaStart: betaStart, betaEnd: betaEnd, prediction: prediction,
      setsAlphaToOne: setsAlphaToOne, stepsOffset: stepsOffset, spacing: spacing,
      consistency: ConsistencyRule())
  }

  init(
    kind: String, betaStart: Double, betaEnd: Double, prediction: String, setsAlphaToOne: Bool,
    stepsOffset: Int, spacing: Spacing, consistency: ConsistencyRule
  ) throws(EditError) {
    guard let prediction = PredictionType(rawValue: prediction) else {
      throw .unsupportedPrediction(prediction)
    }
    switch kind {
    case "scaled_linear":
      let roots = Self.linspace(Float(betaStart.squareRoot()), Float(betaEnd.squareRoot()))
      betas = roots.map { $0 * $0 }
    case "linear": betas = Self.linspace(Float(betaStart), Float(betaEnd))
    default: throw .unsupportedSchedule(kind)
    }
    alphaBars = Self.cumulativeProduct(betas: betas)
    self.prediction = prediction
    self.setsAlphaToOne = setsAlphaToOne
    self.stepsOffset = stepsOffset
    self.spacing = spacing
    self.consistency = consistency
  }

  /// Stable Diffusion 1.x: scaled linear from 0.00085 to 0.012, ε, last level ᾱ_0, offset 1.
  public static let stableDiffusion = try! NoiseSchedule()

  public func alphaBar(_ timestep: Int) -> Double { Double(alphaBars[timestep]) }
  func beta(_ timestep: Int) -> Double { Double(betas[timestep]) }
  /// a_t = √ᾱ_t.
  public func signal(_ timestep: Int) -> Double { alphaBar(timestep).squareRoot() }
  /// s_t = √(1 − ᾱ_t).
  public func noise(_ timestep: Int) -> Double { (1 - alphaBar(timestep)).squareRoot() }

  /// ᾱ of the level below the first timestep of a sampling grid.
  public var finalAlphaBar: Double { setsAlphaToOne || spacing == .trailing ? 1 : alphaBar(0) }

  /// x_t = a_t·x_0 + s_t·n (Ho et al. 2020, eq. 4).
  public func diffuse(_ x0: Latent, to timestep: Int, _ noise: Latent) -> Latent {
    .combination([(signal(timestep), x0), (self.noise(timestep), noise)])
  }

  /// ε from what the network said about `x` at a level of `alphaBar`:
  /// the output itself, or a·v + s·x for a velocity (Salimans & Ho 2022, appendix D).
  public func epsilon(fromOutput output: Latent, at x: Latent, alphaBar: Double) -> Latent {
    switch prediction {
    case .epsilon: output
    case .velocity:
      .combination([(alphaBar.squareRoot(), output), ((1 - alphaBar).squareRoot(), x)])
    }
  }

  /// Evenly spaced Floats as the training code made them: the step is rounded to Float, each half counts
  /// from its own end, and a value is rounded once.
  private static func linspace(_ start: Float, _ end: Float) -> [Float] {
    let last = trainingSteps - 1
    let step = Double(Float((Double(end) - Double(start)) / Double(last)))
    return (0...last).map { i in
      i < trainingSteps / 2
        ? Float(Double(start) + step * Double(i)) : Float(Double(end) - step * Double(last - i))
    }
  }

  /// The factors are Floats but their product is kept in Double: a Float product is off in most entries.
  private static func cumulativeProduct(betas: [Float]) -> [Float] {
    var product = 1.0
    return betas.map { beta in
      product *= Double(1 - beta)
      return Float(product)
    }
  }
}
