import Editing
import Tensors

/// The nonlinear predictor as a network that can be differentiated by what it is told, predicting noise or velocity as
/// its schedule says. The gradient is the formula's.
public struct DifferentiablePredictor: PointwisePredictor, NoiseDerivative {
  public var base = NonlinearPredictor()
  public var schedule: NoiseSchedule

  public init(schedule: NoiseSchedule = .stableDiffusion) { self.schedule = schedule }

  public func noise(_ query: NoiseQuery) -> Latent {
    let level = query.levelAlphaBar ?? schedule.alphaBar(query.timestep)
    return schedule.epsilon(fromOutput: base.noise(query), at: query.latent, alphaBar: level)
  }

  public func attention(_ query: NoiseQuery) -> HostTensor? { base.attention(query) }

  /// o = 1.5·u/(1 + |u|) + …, u linear in the context: ∂o_i/∂c_j = 1.5/(1 + |u_i|)²·(0.5 + 0.1·x_{i+3}), j = i mod n.
  public func contextGradient(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradient: HostTensor) {
    let (x, context) = (query.latent.values, query.condition.context)
    let (outputs, sums) = base.outputsAndSums(query)
    var (total, gradient) = (0.0, [Double](repeating: 0, count: context.count))
    for i in x.indices {
      let difference = loss.scale * Double(outputs.values[i]) + Double(loss.base.values[i])
      total += loss.weight * difference * difference
      let slope = 1.5 / ((1 + abs(Double(sums[i]))) * (1 + abs(Double(sums[i]))))
      gradient[i % context.count] +=
        2 * loss.weight * loss.scale * difference * slope * (0.5 + 0.1 * Double(x[(i + 3) % x.count]))
    }
    return (total, HostTensor(shape: context.shape, values: gradient.map { Float($0) }))
  }
}

extension CountingPredictor: NoiseDerivative where Base: NoiseDerivative {
  public func contextGradient(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradient: HostTensor) {
    countGradient()
    return try await base.contextGradient(query, of: loss)
  }
}

/// A trained noise predictor whose output is the sum of its parameters, cell by cell: o_i = Σ θ_{p, i mod n_p}·x_i.
public actor LinearTrainee: TrainableNoisePredictor {
  public nonisolated let parameters: [(name: String, shape: [Int])]
  public private(set) var values: [String: HostTensor]

  public init(_ values: [String: HostTensor]) {
    self.values = values
    parameters = values.sorted { $0.key < $1.key }.map { ($0.key, $0.value.shape) }
  }

  public func update(_ values: [String: HostTensor]) { self.values.merge(values) { _, new in new } }

  public func gradients(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) -> (loss: Double, gradients: [String: HostTensor]) {
    let x = query.latent.values
    var (total, gradients) = (0.0, values.mapValues { HostTensor(shape: $0.shape) })
    for i in x.indices {
      let output = values.values.reduce(0.0) { $0 + Double($1.values[i % $1.count]) * Double(x[i]) }
      let difference = loss.scale * output + Double(loss.base.values[i])
      total += loss.weight * difference * difference
      for name in values.keys {
        let count = values[name]!.count
        gradients[name]!.values[i % count] += Float(2 * loss.weight * loss.scale * difference * Double(x[i]))
      }
    }
    return (total, gradients)
  }
}

/// G(ẑ) = ẑ + b with one b per task.
public actor ShiftTranslator: TrainableTranslator {
  public nonisolated let parameters: [(name: String, shape: [Int])]
  public private(set) var shifts: HostTensor

  public init(tasks: Int, height: Int, width: Int, channels: Int = 4) {
    shifts = HostTensor(shape: [tasks, height * width * channels])
    parameters = [("shift", shifts.shape)]
  }

  public func update(_ values: [String: HostTensor]) { shifts = values["shift"] ?? shifts }

  public func shift(_ task: Int) -> ArraySlice<Float> {
    shifts.values[task * shifts.shape[1]..<(task + 1) * shifts.shape[1]]
  }

  public func translate(_ latent: Latent, task: Int) -> Latent {
    Latent(like: latent, values: zip(latent.values, shift(task)).map { $0 + $1 })
  }

  public func gradients(_ latent: Latent, task: Int, seed: Latent) -> [String: HostTensor] {
    var gradient = HostTensor(shape: shifts.shape)
    gradient.values.replaceSubrange(
      task * shifts.shape[1]..<(task + 1) * shifts.shape[1], with: seed.values)
    return ["shift": gradient]
  }
}
