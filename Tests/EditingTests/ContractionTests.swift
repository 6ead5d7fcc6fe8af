import Editing
import Foundation
import Tensors
import TestSupport
import Testing

/// The claim of Nie et al. 2024 in one dimension: after an edit of the latent, the SDE brings its law back to the
/// model's at every step, the ODE keeps the distance.
@Suite("SDE beats ODE") struct ContractionTests {
  /// A one-dimensional normal law.
  struct Law {
    var mean: Double
    var variance: Double

    func divergence(from other: Law) -> Double {
      let (v, d) = (variance / other.variance, mean - other.mean)
      return 0.5 * (v + d * d / other.variance - 1 - log(v))
    }
  }

  /// x ↦ slope·x + shift + σ·z: one step under the best denoiser of data N(0.7, 0.5).
  struct Step {
    var slope: Double
    var shift: Double
    var sigma: Double

    init(_ step: Transition, eta: Double) {
      let (b, sigma) = (step.alphaBar, step.sigma(eta: eta))
      let (a, s) = (b.squareRoot(), (1 - b).squareRoot())
      let k = step.coefficients(variance: sigma * sigma)
      let share = s / (b * 0.5 + 1 - b)  // ε = share·(x − a·μ)
      slope = k.x + k.eps * share
      shift = -k.eps * share * a * 0.7
      self.sigma = sigma
    }

    func callAsFunction(_ law: Law) -> Law {
      Law(mean: slope * law.mean + shift, variance: slope * slope * law.variance + sigma * sigma)
    }
  }

  let grid = try! NoiseSchedule.stableDiffusion.samplingGrid(steps: 50)

  /// Divergence at the levels 50, 49, … 0 of two laws that start as the model's and as N(3, 0.3).
  private func divergences(eta: Double) -> [Double] {
    let top = grid.alphaBars[50]
    var model = Law(mean: top.squareRoot() * 0.7, variance: top * 0.5 + 1 - top)
    var edited = Law(mean: 3, variance: 0.3)
    var values = [edited.divergence(from: model)]
    for level in (1...50).reversed() {
      let step = Step(grid.transition(from: level), eta: eta)
      (model, edited) = (step(model), step(edited))
      values.append(edited.divergence(from: model))
    }
    return values
  }

  @Test("the ODE keeps the divergence at every level")
  func constant() {
    let kl = divergences(eta: 0)
    // Affine maps of both laws; 50 steps of a few Double roundings each.
    #expect(kl.allSatisfy { abs($0 - kl[0]) < 1e-10 })
    #expect(abs(kl[0] - 4.60537) < 5e-6)
  }

  @Test("the SDE lowers it at every step", arguments: [(0.5, 1.14743, 5e-6), (1.0, 0.0146073, 5e-8)])
  func falling(eta: Double, end: Double, tolerance: Double) {
    let kl = divergences(eta: eta)
    #expect(zip(kl, kl.dropFirst()).allSatisfy { $0 > $1 })
    #expect(abs(kl[50] - end) < tolerance)
  }

  @Test(
    "the difference of two paths under one prompt shrinks by the product of the slopes",
    arguments: [(0.0, 0.68454), (0.5, 0.34726), (1.0, 0.03816)])
  func slopes(eta: Double, product: Double) {
    let mine = (1...50).reduce(1.0) { $0 * Step(grid.transition(from: $1), eta: eta).slope }
    #expect(abs(mine - product) < 5e-6)
  }

  @Test("paired steps shrink a difference by exactly those slopes", arguments: [0, 0.5, 1])
  func pairedSlopes(eta: Double) async throws {
    let mean = Latent(height: 7, width: 11, repeating: 0.7)
    let model = gaussianWorld(variance: 0.5, like: mean)
    let tape = SeededTape(seed: 12)
    var y = latent(1)
    var x = y + latent(2)
    for (i, level) in (1...50).reversed().enumerated() {
      let step = grid.transition(from: level)
      let next = try tape.normal(i, like: y)
      let eps = try await model.guided(
        [x, y].map { GuidedQuery($0, timestep: step.timestep, Condition(mean: mean), 1.0) })
      (x, y) = (step.pairedStep(x, eps[0], along: y, eps[1], to: next, eta: eta), next)
    }
    let product = (1...50).reduce(1.0) { $0 * Step(grid.transition(from: $1), eta: eta).slope }
    // 50 steps, each with three roundings below 8 times factors of about 1.
    #expect((x - y).isClose(to: product * latent(2), within: 50 * 3 * 8 * halfUlp))
  }

  /// Starts a run where the test wants and goes on with seeded noise.
  struct StartedTape: NoiseTape {
    var start: Latent
    func normal(_ index: Int, count: Int, height: Int, width: Int, channels: Int) throws -> [Latent] {
      index == 0
        ? [start]
        : SeededTape(seed: 13).normal(index, count: count, height: height, width: width, channels: channels)
    }
    func integer(_ index: Int, in range: ClosedRange<Int>) throws -> Int { range.lowerBound }
  }

  @Test("a run of the sampler ends in the law that the formulas say", arguments: Sampler.allCases)
  func run(sampler: Sampler) async throws {
    let mean = Latent(height: 160, width: 160, repeating: 0.7)
    let noise = try SeededTape(seed: 14).normal(0, like: mean)
    let start = Latent(like: mean, values: noise.values.map { 3 + Float(0.3).squareRoot() * $0 })
    var method = TextToImage()
    (method.guidance, method.sampler) = (1, PictureSampler(sampler))
    let out = try await method.generate(
      Condition(mean: mean), height: 160, width: 160, model: gaussianWorld(variance: 0.5, like: mean),
      tape: StartedTape(start: start))
    let law = (1...50).reversed().reduce(Law(mean: 3, variance: 0.3)) {
      Step(grid.transition(from: $1), eta: sampler.eta)($0)
    }
    let (m, count) = (Moments(out.values.map(Double.init)), Double(out.values.count))
    #expect(abs(m.mean - law.mean) < 5 * (law.variance / count).squareRoot())
    #expect(abs(m.variance / law.variance - 1) < 5 * (2 / count).squareRoot())
  }

  /// An even mixture of N(−1, 0.04) and N(1.5, 0.09), and its best denoiser, value by value.
  struct Mixture: PointwisePredictor {
    let parts = [Law(mean: -1, variance: 0.04), Law(mean: 1.5, variance: 0.09)]

    func noise(_ query: NoiseQuery) -> Latent {
      let b = NoiseSchedule.stableDiffusion.alphaBar(query.timestep)
      let (a, s) = (b.squareRoot(), (1 - b).squareRoot())
      var out = query.latent
      for i in out.values.indices {
        let x = Double(out.values[i])
        var (density, slope) = (0.0, 0.0)
        for part in parts {
          let d = b * part.variance + 1 - b
          let distance = x - a * part.mean
          let p = exp(-distance * distance / (2 * d)) / d.squareRoot()
          density += p
          slope -= p * distance / d
        }
        // ε = −s·∇ log p; where both densities vanish any value that leads back will do.
        out.values[i] = Float(density > 0 ? -s * slope / density : s * x)
      }
      return out
    }

    /// P(value ≤ x).
    func cumulative(_ x: Double) -> Double {
      parts.reduce(0.0) { sum, part in
        let z = (x - part.mean) / (2 * part.variance).squareRoot()
        return sum + 0.25 * erfc(-z)
      }
    }
  }

  /// Divergence of a histogram of the samples from the data's, in 60 bins over −4…4.
  private func divergence(_ samples: [Float]) -> Double {
    let (bins, width) = (60, 8.0 / 60)
    var counts = [Double](repeating: 0, count: bins)
    for x in samples {
      let bin = Int((Double(x) + 4) / width)
      counts[min(max(bin, 0), bins - 1)] += 1
    }
    let mixture = Mixture()
    var sum = 0.0
    for (i, n) in counts.enumerated() where n > 0 {
      let low = -4 + Double(i) * width
      let q = max(mixture.cumulative(low + width) - mixture.cumulative(low), 1e-12)
      let p = n / Double(samples.count)
      sum += p * log(p / q)
    }
    return sum
  }

  @Test(
    "from a wrong start the SDE's histogram is nearer to the data's than the ODE's",
    arguments: [(2.0, 1.0), (-1.5, 0.5), (0.0, 0.2)])
  func mixture(mean: Double, deviation: Double) async throws {
    let noise = SeededTape(seed: 15).normal(0, count: 1, height: 160, width: 160, channels: 4)[0]
    let start = Latent(like: noise, values: noise.values.map { Float(mean + deviation * Double($0)) })
    let model = Diffusion(unet: Mixture(), schedule: .stableDiffusion, empty: cat)
    var results: [Sampler: Double] = [:]
    for sampler in Sampler.allCases {
      var method = TextToImage()
      (method.guidance, method.sampler) = (1, PictureSampler(sampler))
      let out = try await method.generate(
        cat, height: 160, width: 160, model: model, tape: StartedTape(start: start))
      results[sampler] = divergence(out.values)
    }
    #expect(results[.sde]! < 0.5 * results[.ode]!, "\(results)")
  }

  @Test("from the right start both tend to the data as the steps become more", arguments: Sampler.allCases)
  func unedited(sampler: Sampler) async throws {
    let model = Diffusion(unet: Mixture(), schedule: .stableDiffusion, empty: cat)
    var results: [Double] = []
    for steps in [10, 200] {
      var method = TextToImage()
      (method.guidance, method.sampler, method.steps) = (1, PictureSampler(sampler), steps)
      let out = try await method.generate(
        cat, height: 100, width: 100, model: model, tape: SeededTape(seed: 16))
      results.append(divergence(out.values))
    }
    #expect(results[1] < results[0] && results[1] < 0.05, "\(results)")
  }
}
