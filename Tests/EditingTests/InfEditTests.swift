import Editing
import Tensors
import TestSupport
import Testing

@Suite("InfEdit") struct InfEditTests {
  let photo = latent(121)
  let tape = SeededTape(seed: 32)

  private func method(
    steps: Int = 5, guidance: Double = 2, start: InfEdit.Start = .noise, eta: Double = 1
  ) -> InfEdit {
    var method = InfEdit()
    (method.steps, method.start, method.eta) = (steps, start, eta)
    (method.sourceGuidance, method.targetGuidance) = (guidance, guidance)
    return method
  }

  @Test(
    "predicts the photo in every step for its own prompt and one guidance, bit for bit",
    arguments: DDPMInversionTests.schedules.indices, InfEdit.Start.allCases)
  func reconstruction(schedule: Int, start: InfEdit.Start) async throws {
    let (model, _) = nonlinearWorld(schedule: DDPMInversionTests.schedules[schedule])
    for (eta, guidance) in [(1, 2), (0.5, 1), (0, 3.5)] as [(Double, Double)] {
      let trace = Trace()
      let out = try await method(guidance: guidance, start: start, eta: eta).edit(
        photo, from: cat, to: cat, model: model, tape: tape, observer: trace.observer)
      #expect(out.isIdentical(to: photo))
      #expect(trace.latents("preds").count == 5 && trace.latents("traj").count == 4)
      #expect(trace.latents("preds").allSatisfy { $0.isIdentical(to: photo) })
    }
  }

  /// Equal variances: ε_t − ε_s = s·a·(μ_s − μ_t)/D at one place, so that p = x₀ + s²/D·(μ_t − μ_s).
  @Test("moves a Gaussian world by its own share of the difference of the means", arguments: [1, 15])
  func gaussians(steps: Int) async throws {
    let (source, target) = (latent(1), latent(2))
    let model = gaussianWorld(variance: 0.5, like: photo)
    let trace = Trace()
    _ = try await method(steps: steps, guidance: 1).edit(
      photo, from: Condition(mean: source), to: Condition(mean: target), model: model, tape: tape,
      observer: trace.observer)
    let (a, s) = (model.schedule.signal(999), model.schedule.noise(999))
    let share = s * s / (a * a * 0.5 + s * s)
    let expected = Latent.combination([(1, photo), (share, target), (-share, source)])
    // Two predictions rounded below 8 and divided by a.
    #expect(trace.latents("preds")[0].isClose(to: expected, within: Float(4 / a) * 8 * halfUlp))
  }

  @Test("one step draws no noise but the start's, and strength leaves the noisy steps out")
  func draws() async throws {
    let (model, counter) = nonlinearWorld()
    let one = RecordedTape([.normal(photo.draw)])
    _ = try await method(steps: 1).edit(photo, from: cat, to: tiger, model: model, tape: one)
    #expect(one.unused.isEmpty && counter.evaluations == 4)

    var partial = method(steps: 10, start: .latent)
    partial.strength = 0.7
    let trace = Trace()
    _ = try await partial.edit(
      photo, from: cat, to: tiger, model: model, tape: tape, observer: trace.observer)
    #expect(trace.latents("preds").count == 7 && counter.evaluations == 4 + 28)
    #expect(partial.evaluations == 28)
  }

  @Test("evaluations of the defaults: (1 + 2)·15") func evaluations() async throws {
    let (model, counter) = nonlinearWorld()
    _ = try await InfEdit().edit(photo, from: cat, to: tiger, model: model, tape: tape)
    #expect(counter.evaluations == 45 && InfEdit().evaluations == 45)
    #expect(counter.lists == [3: 15] && InfEdit().evaluationsAtOnce(InfEdit().outline()) == 3)
  }
}

extension Latent {
  /// As a recorded draw, `[1, C, h, w]`.
  fileprivate var draw: HostTensor { Latent.stacked([self]) }
}
