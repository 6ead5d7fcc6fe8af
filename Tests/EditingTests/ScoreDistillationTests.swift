import Editing
import Tensors
import TestSupport
import Testing

@Suite("Delta denoising score") struct DeltaDenoisingScoreTests {
  let photo = latent(21)
  let tape = SeededTape(seed: 6)

  private func method(_ iterations: Int = 4) -> DeltaDenoisingScore {
    var method = DeltaDenoisingScore()
    method.iterations = iterations
    return method
  }

  @Test("leaves the latent untouched when both prompts are the same")
  func samePrompt() async throws {
    let (model, _) = nonlinearWorld()
    let trace = Trace()
    let out = try await method().edit(
      photo, from: cat, to: cat, model: model, tape: tape, observer: trace.observer)
    #expect(out.isIdentical(to: photo))
    #expect(trace.latents("grads").allSatisfy { $0.maxMagnitude == 0 })
    #expect(trace.latents("grads").count == 4 && trace.latents("traj").count == 4)
  }

  @Test("changes nothing outside the mask, not a bit")
  func mask() async throws {
    let (model, counter) = nonlinearWorld()
    let out = try await method().edit(photo, from: cat, to: tiger, mask: boxMask(), model: model, tape: tape)
    #expect(out.isIdentical(to: photo, outside: boxMask()))
    #expect(out.distance(to: photo) > 0.01)
    let (before, empty) = (counter.evaluations, Mask(height: 7, width: 11, repeating: 0))
    for observer in [EditObserver.none, Trace().observer] {
      let same = try await method().edit(
        photo, from: cat, to: tiger, mask: empty, model: model, tape: tape, observer: observer)
      #expect(same.isIdentical(to: photo))
    }
    #expect(counter.evaluations == before + 16)  // only the traced run asked anything
  }

  @Test("a soft mask scales the step of every cell")
  func softMask() async throws {
    let (model, _) = nonlinearWorld()
    let half = Mask(height: 7, width: 11, repeating: 0.5)
    let whole = try await method(1).edit(photo, from: cat, to: tiger, model: model, tape: tape) - photo
    let soft = try await method(1).edit(photo, from: cat, to: tiger, mask: half, model: model, tape: tape)
    #expect((soft - photo).isClose(to: 0.5 * whole, within: 2 * 8 * halfUlp))  // two results rounded below 8
  }

  @Test("with guidance 0 the prompts have no influence")
  func unguided() async throws {
    let (model, _) = nonlinearWorld()
    var method = method()
    method.guidance = 0
    let a = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape)
    let b = try await method.edit(photo, from: tiger, to: Condition(text: "a dog"), model: model, tape: tape)
    #expect(a.isIdentical(to: b))
  }

  @Test("no learning rate returns the photo")
  func nothing() async throws {
    let (model, _) = nonlinearWorld()
    var still = method()
    still.learningRate = 0
    #expect(
      try await still.edit(photo, from: cat, to: tiger, model: model, tape: tape).isIdentical(to: photo))
  }

  @Test("one iteration is linear in the learning rate")
  func linear() async throws {
    let (model, _) = nonlinearWorld()
    var method = method(1)
    let one = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape) - photo
    method.learningRate *= 4
    let four = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape) - photo
    #expect((4 * one).isClose(to: four, within: 5 * 8 * halfUlp))  // two results rounded below 8, one times 4
  }

  @Test("the step has the size of 64×64 cells at every size unless a scale is given")
  func stepFactor() {
    var method = DeltaDenoisingScore()
    #expect(method.stepFactor(height: 64, width: 64) == 0.048828125)
    #expect(method.stepFactor(height: 16, width: 16) == 0.048828125)
    method.lossScale = 2000
    #expect(method.stepFactor(height: 16, width: 16) == 0.78125)
  }

  /// Equal variances: both noise terms are (a²v/D)·… of the same n and cancel, so that
  /// g = (s·a/D)·(z − z_src − w·(μ_tgt − μ_src)).
  @Test("has no noise term in a Gaussian world", arguments: [1, 3, 7.5])
  func vanishingNoise(w: Double) async throws {
    let (source, target) = (latent(1), latent(2))
    let model = gaussianWorld(variance: 0.5, like: photo)
    let z = latent(3)
    for (draw, t) in [(0, 60), (1, 400), (2, 940)] {
      let n = try tape.normal(draw, like: photo)
      let g = try await model.scoreDistillation(
        of: z, toward: Condition(mean: target), relativeTo: (photo, Condition(mean: source)), timestep: t,
        noise: n,
        guidance: w)
      let (a, s) = (model.schedule.signal(t), model.schedule.noise(t))
      let k = s * a / (a * a * 0.5 + s * s)
      let expected = Latent.combination([(k, z), (-k, photo), (-k * w, target), (k * w, source)])
      // Four predictions and two states rounded at magnitudes below 8, guidance multiplies by up to 2w.
      #expect(g.isClose(to: expected, within: Float(4 * w + 8) * 8 * halfUlp))
    }
  }

  @Test("moves a Gaussian world by exactly the guided difference of its means")
  func fixedPoint() async throws {
    let (source, target) = (latent(1), latent(2))
    var method = DeltaDenoisingScore()
    (method.guidance, method.iterations, method.learningRate) = (3, 300, 0.3)
    let out = try await method.edit(
      photo, from: Condition(mean: source), to: Condition(mean: target),
      model: gaussianWorld(variance: 0.5, like: photo), tape: tape)
    let expected = photo + 3 * (target - source)
    // Each step contracts the distance by 1 − 0.146·s·a/D; what remains is rounding of z, below 32, against
    // a contraction of at least 0.004 at t = 948.
    #expect(out.isClose(to: expected, within: 1e-3))
  }

  @Test("runs away with a large learning rate and says so")
  func diverges() async throws {
    let (model, _) = nonlinearWorld()
    var method = method(50)
    method.learningRate = 1e6
    await #expect(throws: EditError.diverged(method: "dds", step: 1, limit: 1e4)) {
      _ = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape)
    }
  }

  @Test("the weight multiplies the gradient by powers of signal and noise")
  func weight() async throws {
    let (model, _) = nonlinearWorld()
    let (plain, weighted) = (Trace(), Trace())
    var method = method(1)
    _ = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape, observer: plain.observer)
    (method.signalExponent, method.noiseExponent) = (1, 2)
    _ = try await method.edit(
      photo, from: cat, to: tiger, model: model, tape: tape, observer: weighted.observer)
    let t = tape.integer(0, in: 50...948)
    let k = model.schedule.signal(t) * (1 - model.schedule.alphaBar(t))
    let expected = k * plain.latents("grads")[0]
    #expect(weighted.latents("grads")[0].isClose(to: expected, within: 8 * halfUlp))
  }
}

@Suite("Score distillation sampling") struct ScoreDistillationSamplingTests {
  /// ε̃ − n with x = a·z + s·n, z = μ: the noise term is −(a²v/D)·n.
  @Test("vanishes on a matched pair only on average, with variance (a²v/D)²", arguments: [100, 500, 900])
  func premise(t: Int) async throws {
    let mean = Latent(height: 64, width: 64, repeating: 0.3)
    let model = gaussianWorld(variance: 0.5, like: mean)
    let n = try SeededTape(seed: 8).normal(0, like: mean)
    let g = try await model.scoreDistillation(
      of: mean, toward: Condition(mean: mean), relativeTo: nil, timestep: t, noise: n, guidance: 1.0)
    let b = model.schedule.alphaBar(t)
    let deviation = b * 0.5 / (b * 0.5 + 1 - b)
    let moments = Moments(g.values.map { Double($0) / deviation })
    let count = Double(g.values.count)
    let standardErrors = (mean: 1 / count.squareRoot(), variance: (2 / count).squareRoot())
    #expect(abs(moments.mean) < 5 * standardErrors.mean)
    #expect(abs(moments.variance - 1) < 5 * standardErrors.variance)
  }

  @Test("keeps the photo outside the mask and asks two predictions per iteration")
  func masked() async throws {
    let (model, counter) = nonlinearWorld()
    var method = ScoreDistillationSampling()
    method.iterations = 3
    let out = try await method.edit(
      latent(1), to: tiger, mask: boxMask(), model: model, tape: SeededTape(seed: 1))
    #expect(out.isIdentical(to: latent(1), outside: boxMask()) && out != latent(1))
    #expect(counter.evaluations == method.evaluations && counter.evaluations == 6)
  }

  @Test("draws the timestep first, then the noise")
  func draws() async throws {
    let (model, _) = nonlinearWorld()
    var method = ScoreDistillationSampling()
    method.iterations = 2
    let noise = RecordedTape.Draw.normal(Latent.stacked([latent(5)]))
    let tape = RecordedTape([.integer(50), noise, .integer(948), noise])
    _ = try await method.edit(latent(1), to: tiger, model: model, tape: tape)
    #expect(tape.unused == [])
    let late = RecordedTape([.integer(949), noise])
    await #expect(throws: EditError.tapeInteger(draw: 0, value: 949, range: 50...948)) {
      _ = try await method.edit(latent(1), to: tiger, model: model, tape: late)
    }
  }
}
