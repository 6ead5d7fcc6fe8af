import Editing
import Tensors
import TestSupport
import Testing

@Suite("DDIM inversion") struct DDIMTranslationTests {
  let photo = latent(51)

  @Test("is exact where the prediction does not depend on the latent")
  func exact() async throws {
    let model = Diffusion(unet: TimeOnlyPredictor(), schedule: .stableDiffusion, empty: cat)
    var method = DDIMTranslation()
    (method.steps, method.targetGuidance) = (20, 1)
    let out = try await method.edit(photo, from: cat, to: tiger, model: model)
    // Each state is rounded once on the way up and once down, below 8; what is rounded at level ℓ comes back
    // times 1/a_ℓ, whose sum over 20 levels is below 80.
    #expect(out.isClose(to: photo, within: 2 * 80 * 8 * halfUlp))
  }

  @Test("tells the network the level it goes to and the level the latent is on")
  func levels() async throws {
    struct Recorder: PointwisePredictor {
      let seen = Trace()
      func noise(_ query: NoiseQuery) -> Latent {
        let values = [Float(query.timestep), Float(query.levelAlphaBar ?? -1)]
        seen.observer.tensor("asked", HostTensor(shape: [2], values: values))
        return query.latent
      }
    }
    let recorder = Recorder()
    let model = Diffusion(unet: recorder, schedule: .stableDiffusion, empty: cat)
    var method = DDIMTranslation()
    (method.steps, method.strength, method.targetGuidance) = (50, 0.04, 1)
    let trace = Trace()
    _ = try await method.edit(photo, from: cat, to: tiger, model: model, observer: trace.observer)
    let schedule = model.schedule
    #expect(
      recorder.seen.tensors("asked").map(\.values) == [
        [1, schedule.alphaBars[0]], [21, schedule.alphaBars[1]], [21, -1], [1, -1],
      ])
    #expect(trace.latents("inverted").count == 3 && trace.latents("inverted")[0] == photo)
    #expect(trace.latents("traj").count == 2)
  }

  @Test("evaluations are as planned")
  func evaluations() async throws {
    #expect(DDIMTranslation().evaluations == 150)
    let (model, counter) = nonlinearWorld()
    var method = DDIMTranslation()
    (method.steps, method.strength, method.sourceGuidance) = (10, 0.7, 2)
    _ = try await method.edit(photo, from: cat, to: tiger, model: model)
    #expect(counter.evaluations == 28 && method.evaluations == 28)
  }
}

@Suite("CycleDiffusion") struct CycleDiffusionTests {
  let photo = latent(52)
  let tape = SeededTape(seed: 17)

  @Test("returns the photo when both sides are the same", arguments: [0, 0.1, 1])
  func identity(eta: Double) async throws {
    let (model, _) = nonlinearWorld()
    var method = CycleDiffusion()
    (method.steps, method.sourceGuidance, method.targetGuidance, method.eta) = (10, 2, 2, eta)
    let out = try await method.edit(photo, from: cat, to: cat, model: model, tape: tape)
    #expect(out.isIdentical(to: photo))
  }

  @Test("draws the start and one noise per level above the first")
  func draws() async throws {
    let (model, counter) = nonlinearWorld()
    var method = CycleDiffusion()
    (method.steps, method.strength) = (5, 0.8)
    let recorded = RecordedTape((0..<4).map { .normal(Latent.stacked([latent(UInt64($0))])) })
    let out = try await method.edit(photo, from: cat, to: tiger, model: model, tape: recorded)
    #expect(recorded.unused == [] && counter.evaluations == 12 && counter.passes == 4)
    #expect(out.distance(to: photo) > 0.01)
    #expect(CycleDiffusion().evaluations == 120)
  }

  /// In a world of one picture per prompt, equal for both, μ(y, ε) + σz is the posterior itself.
  @Test("the photo's path has the posterior's law")
  func posterior() async throws {
    let photo = Latent(height: 64, width: 64, repeating: 0.4)
    var method = CycleDiffusion()
    (method.steps, method.eta, method.targetGuidance) = (20, 1, 1)
    // Guiding the target at the photo itself leaves it on the path y, whose states are a·x₀ + s·noise.
    let trace = Trace()
    let world = gaussianWorld(variance: 0, like: photo)
    let prompt = Condition(mean: photo)
    _ = try await method.edit(
      photo, from: prompt, to: prompt, model: world, tape: tape, observer: trace.observer)
    let grid = try world.schedule.samplingGrid(steps: 20)
    for (i, x) in trace.latents("traj").dropLast().enumerated() {
      let b = grid.alphaBars[15 - i]
      let m = Moments(x.values.map { (Double($0) - b.squareRoot() * 0.4) / (1 - b).squareRoot() })
      let count = Double(x.values.count)
      #expect(abs(m.mean) < 5 / count.squareRoot() && abs(m.variance - 1) < 5 * (2 / count).squareRoot())
    }
  }
}

@Suite("Cycle-SDE") struct CycleSDETests {
  let photo = latent(53)
  let tape = SeededTape(seed: 18)

  @Test("returns the photo bit for bit for one prompt on both sides", arguments: [1, 3, 7.5])
  func identity(w: Double) async throws {
    let (model, _) = nonlinearWorld()
    var method = CycleSDE()
    (method.steps, method.sourceGuidance, method.targetGuidance) = (12, w, w)
    let out = try await method.edit(photo, from: cat, to: cat, model: model, tape: tape)
    #expect(out.isIdentical(to: photo))
  }

  @Test("has K draws, K + 1 forward states and at most N − 1 transitions")
  func counts() async throws {
    let (model, counter) = nonlinearWorld()
    var method = CycleSDE()
    (method.steps, method.targetGuidance) = (5, 4)
    let recorded = RecordedTape((0..<4).map { .normal(Latent.stacked([latent(UInt64($0))])) })
    let trace = Trace()
    let out = try await method.edit(
      photo, from: cat, to: tiger, model: model, tape: recorded, observer: trace.observer)
    #expect(recorded.unused == [] && counter.evaluations == 12 && counter.passes == 4)
    #expect(trace.latents("forward").count == 5 && trace.latents("forward")[0] == photo)
    #expect(trace.latents("traj").count == 4 && trace.latents("traj").last == out)
    #expect(CycleSDE().evaluations == 198)
    #expect(CycleSDE().storageBytes(height: 64, width: 64) == 100 * 64 * 64 * 16)
  }

  @Test("the forward states have the law of the direct noising")
  func forwardLaw() async throws {
    let photo = Latent(height: 64, width: 64, repeating: 0.4)
    var method = CycleSDE()
    method.steps = 10
    let (model, trace) = (gaussianWorld(variance: 0.5, like: photo), Trace())
    let prompt = Condition(mean: photo)
    _ = try await method.edit(
      photo, from: prompt, to: prompt, model: model, tape: tape, observer: trace.observer)
    // State k is at τ_k, the clean state at τ_0: √(ᾱ_k/ᾱ_0)·x₀ + √(1 − ᾱ_k/ᾱ_0)·noise.
    let first = model.schedule.alphaBar(1)
    for k in 1...9 {
      let q = model.schedule.alphaBar(100 * k + 1) / first
      let y = trace.latents("forward")[k]
      let m = Moments(y.values.map { (Double($0) - q.squareRoot() * 0.4) / (1 - q).squareRoot() })
      let count = Double(y.values.count)
      #expect(abs(m.mean) < 5 / count.squareRoot() && abs(m.variance - 1) < 5 * (2 / count).squareRoot())
    }
  }

  @Test("a Gaussian world is moved towards the target by what the slopes leave of the start")
  func gaussianWorldShift() async throws {
    // x − y obeys d ← A·d + (B_target − B_source), with B linear in the mean: the photo moves along the
    // difference of the means, by the same factor everywhere.
    let (source, target) = (latent(1), latent(2))
    let model = gaussianWorld(variance: 0.5, like: photo)
    var method = CycleSDE()
    method.steps = 50
    let out = try await method.edit(
      photo, from: Condition(mean: source), to: Condition(mean: target), model: model, tape: tape)
    let grid = try model.schedule.stateGrid(steps: 50)
    var factor = 0.0
    for k in (1...49).reversed() {
      let step = grid.transition(from: k)
      let sigma = step.sigma(eta: 1)
      let c = step.coefficients(variance: sigma * sigma)
      let (a, s) = (step.alphaBar.squareRoot(), (1 - step.alphaBar).squareRoot())
      let share = s / (step.alphaBar * 0.5 + 1 - step.alphaBar)
      factor = (c.x + c.eps * share) * factor - c.eps * share * a
    }
    #expect(factor > 0.9 && factor < 1.1)
    let expected = photo + factor * (target - source)
    #expect(out.isClose(to: expected, within: 49 * 4 * 8 * halfUlp))  // four roundings below 8 per step
  }
}
