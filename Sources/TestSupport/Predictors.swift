import Editing
import Synchronization
import Tensors

/// A predictor whose answer to a query is a function of it.
public protocol PointwisePredictor: NoisePredictor {
  func noise(_ query: NoiseQuery) -> Latent
  func attention(_ query: NoiseQuery) -> HostTensor?
}

extension PointwisePredictor {
  public func attention(_ query: NoiseQuery) -> HostTensor? { nil }
  public func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
    queries.map {
      NoisePrediction(noise: noise($0), attention: $0.wantsAttention ? attention($0) : nil)
    }
  }
}

/// The best possible prediction in a world where a prompt's pictures are N(μ, v) in every latent value:
///
///     ε = s·(x − a·μ)/(a²·v + s²)
///
/// μ is the condition's context, one value per latent value; v = 0 is a world of one picture per prompt.
public struct GaussianDenoiser: PointwisePredictor {
  public var variance: Double
  public var schedule: NoiseSchedule

  public init(variance: Double, schedule: NoiseSchedule = .stableDiffusion) {
    self.variance = variance
    self.schedule = schedule
  }

  public func noise(_ query: NoiseQuery) -> Latent {
    let b = query.levelAlphaBar ?? schedule.alphaBar(query.timestep)
    let (a, s) = (b.squareRoot(), (1 - b).squareRoot())
    let mean = Latent(like: query.latent, values: query.condition.context.values)
    let spread = a * a * variance + s * s
    return query.latent.zip(mean) { x, mean in Float(s * (Double(x) - a * Double(mean)) / spread) }
  }
}

extension Condition {
  /// A prompt of the Gaussian world.
  public init(mean: Latent) { self.init(context: mean.tensor) }
}

/// A prediction that depends on the timestep alone.
public struct TimeOnlyPredictor: PointwisePredictor {
  public init() {}
  public func noise(_ query: NoiseQuery) -> Latent {
    SeededTape(seed: 77).normal(
      query.timestep, count: 1, height: query.latent.height, width: query.latent.width,
      channels: query.latent.channels)[0]
  }
}

/// A small nonlinear network with weights from a seed: each value depends on its neighbours in the latent,
/// on the timestep and on the condition, deterministically and without any library function.
public struct NonlinearPredictor: PointwisePredictor {
  public var seed: UInt64
  /// Whether attention maps are made: `[h/4, w/4, tokens]`, positive.
  public var hasAttention: Bool

  public init(seed: UInt64 = 5, hasAttention: Bool = false) {
    self.seed = seed
    self.hasAttention = hasAttention
  }

  public func noise(_ query: NoiseQuery) -> Latent { outputsAndSums(query).outputs }

  /// The prediction, and what its nonlinearity was given.
  func outputsAndSums(_ query: NoiseQuery) -> (outputs: Latent, sums: [Float]) {
    let (x, context) = (query.latent, query.condition.context.values)
    let weights = SeededTape(seed: seed).normal(0, count: 1, height: 4, width: 8, channels: 1)[0].values
    var out = x
    let count = x.values.count
    var sums = x.values
    for i in 0..<count {
      let word = context[i % context.count]
      var sum = 0.3 * weights[i % 8] * Float(query.timestep) / 1000 + 0.5 * word
      for k in 0..<8 { sum += 0.35 * weights[8 + k] * x.values[(i + 5 * k + 1) % count] }
      sum += 0.6 * x.values[i] + 0.1 * word * x.values[(i + 3) % count]
      out.values[i] = 1.5 * sum / (1 + abs(sum)) + 0.2 * weights[16 + i % 16]
      sums[i] = sum
    }
    return (out, sums)
  }

  public func attention(_ query: NoiseQuery) -> HostTensor? {
    guard hasAttention else { return nil }
    let (height, width) = (query.latent.height / 4, query.latent.width / 4)
    let noise = noise(query)
    var map = HostTensor(shape: [height, width, 6])
    for y in 0..<height {
      for x in 0..<width {
        for token in 0..<6 {
          map.values[(y * width + x) * 6 + token] = abs(noise[4 * y, 4 * x + token % 4, token % 4])
        }
      }
    }
    return map
  }
}

extension Condition {
  /// A prompt of the nonlinear predictor: any text gives any vector, the same text the same one.
  public init(text: String, tokens: Int = 4) {
    let seed = text.utf8.reduce(UInt64(17)) { $0 &* 31 &+ UInt64($1) }
    let values = SeededTape(seed: seed).normal(0, count: 1, height: tokens, width: 8, channels: 1)[0].values
    self.init(context: HostTensor(shape: [tokens, 8], values: values), tokenCount: tokens - 2)
  }
}

/// Counts what another predictor is asked.
public final class CountingPredictor<Base: NoisePredictor>: NoisePredictor {
  let base: Base
  private let counts = Mutex((evaluations: 0, passes: 0, gradients: 0, lists: [Int: Int]()))

  public init(_ base: Base) { self.base = base }

  /// Predictions and gradients.
  public var evaluations: Int { counts.withLock { $0.evaluations } }
  public var gradients: Int { counts.withLock { $0.gradients } }
  /// Lists asked, that is, passes over the weights.
  public var passes: Int { counts.withLock { $0.passes } }
  /// How often a list of so many queries was asked.
  public var lists: [Int: Int] { counts.withLock { $0.lists } }

  func countGradient() {
    counts.withLock {
      $0.evaluations += 1
      $0.gradients += 1
    }
  }

  public func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
    counts.withLock {
      $0.evaluations += queries.count
      $0.passes += 1
      $0.lists[queries.count, default: 0] += 1
    }
    return try await base.predict(queries)
  }
}

/// Collects what a method reports, stacked by name.
public final class Trace: Sendable {
  private let state = Mutex((tensors: [String: [HostTensor]](), warnings: [String]()))
  public init() {}

  public var observer: EditObserver {
    EditObserver(
      { name, tensor in self.state.withLock { $0.tensors[name, default: []].append(tensor) } },
      warning: { text in self.state.withLock { $0.warnings.append(text) } })
  }
  public func tensors(_ name: String) -> [HostTensor] { state.withLock { $0.tensors[name] ?? [] } }
  public func latents(_ name: String) -> [Latent] { tensors(name).map { Latent($0) } }
  public var warnings: [String] { state.withLock { $0.warnings } }
}
