import Editing
import Tensors
import TestSupport
import Testing

@Suite("Posterior distillation sampling") struct PosteriorDistillationTests {
  let photo = latent(141)
  let tape = SeededTape(seed: 33)

  private func method(_ iterations: Int = 3, guidance: Double = 7.5) -> PosteriorDistillation {
    var method = PosteriorDistillation()
    (method.iterations, method.guidance) = (iterations, guidance)
    return method
  }

  @Test("leaves the latent untouched when both prompts are the same") func samePrompt() async throws {
    let (model, _) = nonlinearWorld()
    let trace = Trace()
    let out = try await method().edit(
      photo, from: cat, to: cat, model: model, tape: tape, observer: trace.observer)
    #expect(out.isIdentical(to: photo))
    #expect(trace.latents("grads").count == 3 && trace.latents("grads").allSatisfy { $0.maxMagnitude == 0 })
  }

  @Test("changes nothing outside the mask, not a bit") func mask() async throws {
    let (model, _) = nonlinearWorld()
    let out = try await method().edit(photo, from: cat, to: tiger, mask: boxMask(), model: model, tape: tape)
    #expect(out.isIdentical(to: photo, outside: boxMask()) && out.distance(to: photo) > 0.01)
  }

  @Test("at the photo it is the delta denoising score times χ") func first() async throws {
    let (model, _) = nonlinearWorld()
    for (draw, place) in [(0, 10), (1, 250), (2, 489)] {
      let n = try tape.normal(draw, like: photo)
      let (t, p) = (2 * place + 1, 2 * place - 1)
      let g = try await method().gradient(
        of: photo, toward: tiger, relativeTo: (photo, cat), draw: place, noise: n, on: model)
      let delta = try await model.scoreDistillation(
        of: photo, toward: tiger, relativeTo: (photo, cat), timestep: t, noise: n, guidance: 7.5)
      let chi = model.schedule.posteriorFactors(t, before: p).score
      #expect(g.isIdentical(to: chi * delta) && g.maxMagnitude > 0.01)
    }
  }

  /// ẑ(y) = (√ᾱ_p·y − m(y))/σ of both branches, written out.
  @Test("is the difference of the stochastic latents") func definition() async throws {
    let (model, z) = (nonlinearWorld().0, latent(142))
    let n = try tape.normal(9, like: photo)
    for place in [10, 100, 489] {
      let (t, p) = (2 * place + 1, 2 * place - 1)
      let (b, c) = (model.schedule.alphaBar(t), model.schedule.alphaBar(p))
      // Of one training step; the table's product goes two of them.
      let beta = 1 - b / model.schedule.alphaBar(t - 1)
      let sigma = ((1 - c) / (1 - b) * beta).squareRoot()
      let step = Transition(timestep: t, from: b, to: c)
      func stochastic(_ y: Latent, _ prompt: Condition) async throws -> Latent {
        let x = model.schedule.diffuse(y, to: t, n)
        let denoised = step.denoised(x, try await model.guided(x, timestep: t, prompt, 7.5))
        return .combination([
          (c.squareRoot() / sigma, y), (-c.squareRoot() * beta / (1 - b) / sigma, denoised),
          (-(1 - beta).squareRoot() * (1 - c) / (1 - b) / sigma, x),
        ])
      }
      let expected = try await stochastic(z, tiger) - stochastic(photo, cat)
      let g = try await method().gradient(
        of: z, toward: tiger, relativeTo: (photo, cat), draw: place, noise: n, on: model)
      // β from the ratio of two Floats near 1 is off by a rounding of them, each a part 2⁻²⁴/β of it. The stochastic
      // latents are sums of terms up to 1/σ times what is below 8, four of them rounded.
      let relative = 2 * halfUlp / Float(beta)
      let tolerance = (relative + 4 * halfUlp) * 8 / Float(sigma) + relative * expected.maxMagnitude
      #expect(g.isClose(to: expected, within: tolerance), "place \(place)")
    }
  }

  @Test("pulls to the photo, since the steps of its grid are two training steps wide") func factors() {
    let schedule = NoiseSchedule.stableDiffusion
    for place in 10...489 {
      let (t, p) = (2 * place + 1, 2 * place - 1)
      let k = schedule.posteriorFactors(t, before: p)
      #expect(k.pull > 0 && k.score > 0.08 && k.score < 0.24, "place \(place)")
      // A step as wide as β's own has no pull, to the rounding of ᾱ over σ.
      let narrow = schedule.posteriorFactors(t, before: t - 1)
      #expect(abs(narrow.pull) < k.pull / 10)
    }
    #expect(PosteriorDistillation().draws == 10...489)
    var whole = PosteriorDistillation()
    (whole.firstPart, whole.lastPart) = (0, 1)
    #expect(whole.draws == 1...499)
  }

  @Test("evaluations of the defaults: 4·200") func evaluations() async throws {
    let (model, counter) = nonlinearWorld()
    var method = PosteriorDistillation()
    method.learningRate = 0.01
    _ = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape)
    #expect(counter.evaluations == 800 && method.evaluations == 800 && counter.lists == [4: 200])
  }
}
