import Editing
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("DPM grid") struct DPMGridTests {
  let schedule = NoiseSchedule.stableDiffusion

  @Test("linspace rounds half to even and drops 0; leading divides by N + 1")
  func timesteps() throws {
    let linspace = try schedule.dpmGrid(steps: 50, spacing: .linspace).timesteps
    #expect(linspace.prefix(2) == [999, 979] && linspace.last == 20 && linspace.count == 50)
    #expect(try schedule.dpmGrid(steps: 2, spacing: .linspace).timesteps == [999, 500])  // 499.5 → 500
    #expect(try schedule.dpmGrid(steps: 6, spacing: .linspace).timesteps == [999, 832, 666, 500, 333, 166])
    #expect(try schedule.dpmGrid(steps: 5, spacing: .leading).timesteps == [831, 665, 499, 333, 167])
  }

  @Test("signal and noise are those of the table, and end at 1 and 0")
  func levels() throws {
    let grid = try schedule.dpmGrid(steps: 34, spacing: .leading)
    for (k, t) in grid.timesteps.enumerated() {
      #expect(abs(grid.signal[k] - schedule.signal(t)) < 1e-15)
      #expect(abs(grid.noise[k] - schedule.noise(t)) < 1e-15)
    }
    #expect(grid.signal.last == 1 && grid.noise.last == 0)
  }

  @Test("refuses grids that repeat or leave the table", arguments: DPMGrid.Spacing.allCases, [0, 1000])
  func refuses(spacing: DPMGrid.Spacing, steps: Int) {
    #expect(throws: EditError.self) { try schedule.dpmGrid(steps: steps, spacing: spacing) }
  }

  @Test("every allowed grid falls strictly inside the table", arguments: DPMGrid.Spacing.allCases)
  func strict(spacing: DPMGrid.Spacing) throws {
    for steps in 1...(spacing == .linspace ? 999 : 499) {
      let times = try schedule.dpmGrid(steps: steps, spacing: spacing).timesteps
      #expect(zip(times, times.dropFirst()).allSatisfy { $0 > $1 } && times.first! < 1000 && times.last! > 0)
    }
  }

  @Test("a first-order step is the DDIM step, with noise the DDPM step", arguments: Sampler.allCases)
  func firstOrder(sampler: Sampler) throws {
    let grid = try schedule.dpmGrid(steps: 8, spacing: .linspace)
    let (x, eps, z) = (latent(1), latent(2), latent(3))
    for k in 0..<7 {
      let transition = Transition(
        timestep: grid.timesteps[k], from: schedule.alphaBar(grid.timesteps[k]),
        to: schedule.alphaBar(grid.timesteps[k + 1]))
      let m = grid.denoised(k, x, eps)
      let solver = grid.step(k, x, denoised: m, previous: nil, sampler, noise: sampler == .sde ? z : nil)
      let ddim = transition.step(x, eps, eta: sampler.eta, noise: z)
      // m is rounded at magnitudes up to 8/a < 128 and enters times at most 1.
      #expect(solver.isClose(to: ddim, within: (128 + 2 * 16) * halfUlp), "k = \(k)")
    }
    #expect(grid.step(7, x, denoised: eps, previous: x, sampler, noise: nil).isIdentical(to: eps))
  }

  /// In a Gaussian world the ODE maps the start to a·μ + √(D/D_N)·(x − a_N·μ) exactly.
  @Test("the second order is nearer to the true flow than the first")
  func secondOrder() async throws {
    let mean = latent(2)
    let model = gaussianWorld(variance: 0.5, like: mean)
    let grid = try schedule.dpmGrid(steps: 20, spacing: .linspace)
    let start = latent(1)
    func deviation(_ t: Int) -> Double {
      (schedule.alphaBar(t) * 0.5 + 1 - schedule.alphaBar(t)).squareRoot()
    }
    let (first, last) = (grid.timesteps[0], grid.timesteps[19])
    let k = deviation(last) / deviation(first)
    let exact = Latent.combination([(k, start), (schedule.signal(last) - k * schedule.signal(first), mean)])
    var errors: [Float] = []
    for order in [1, 2] {
      var (x, previous) = (start, Latent?.none)
      for i in 0..<19 {
        let eps = try await model.guided(x, timestep: grid.timesteps[i], Condition(mean: mean), 1.0)
        let m = grid.denoised(i, x, eps)
        x = grid.step(i, x, denoised: m, previous: order == 2 ? previous : nil, .ode)
        previous = m
      }
      errors.append(x.distance(to: exact))
    }
    #expect(errors[1] < errors[0] / 3, "\(errors)")
  }
}
