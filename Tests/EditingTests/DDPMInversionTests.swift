import Editing
import Tensors
import TestSupport
import Testing

@Suite("Edit-friendly DDPM inversion") struct DDPMInversionTests {
  let photo = latent(11)
  let tape = SeededTape(seed: 4)

  private func method(steps: Int = 10, skip: Int = 0, zeroLast: Int = 0) -> DDPMInversion {
    var method = DDPMInversion()
    (method.steps, method.skippedSteps, method.zeroLast) = (steps, skip, zeroLast)
    (method.sourceGuidance, method.targetGuidance) = (3.5, 3.5)
    return method
  }

  /// Every kind of grid: ends at ᾱ_0 or at 1, leading or trailing.
  static let schedules: [NoiseSchedule] = try! [
    .stableDiffusion, NoiseSchedule(setsAlphaToOne: true), NoiseSchedule(spacing: .trailing),
    NoiseSchedule(prediction: "v_prediction", spacing: .trailing),
  ]

  @Test(
    "returns the photo for the prompt it was inverted with, on every grid", arguments: [0, 3, 9],
    schedules.indices)
  func reconstruction(skip: Int, schedule: Int) async throws {
    let (model, _) = nonlinearWorld(schedule: Self.schedules[schedule])
    let method = method(skip: skip)
    for source in [cat, nil] {
      var edit = method
      if source == nil { edit.targetGuidance = 0 }
      let out = try await edit.edit(photo, from: source, to: source ?? cat, model: model, tape: tape)
      // The inversion computes its states with the edit's own step, so all levels agree bit for bit; what is
      // left is the rounding of δ_1 and that of the sum, both below 16 (x̂₀ of the first of few trailing times).
      #expect(out.isClose(to: photo, within: (16 + 16) * halfUlp))
    }
  }

  @Test("returns the photo in a world of Gaussians too, from 1 step on", arguments: [1, 2, 4, 20])
  func gaussians(steps: Int) async throws {
    for schedule in Self.schedules {
      let model = gaussianWorld(variance: 0.3, like: photo, schedule: schedule)
      let prompt = Condition(mean: latent(12))
      let out = try await method(steps: steps).edit(
        photo, from: prompt, to: prompt, model: model, tape: tape)
      // As above; guidance 3.5 on a single trailing step predicts x̂₀ below 512.
      #expect(out.isClose(to: photo, within: (512 + 512) * halfUlp), "\(schedule.spacing)")
    }
  }

  @Test("every seed reconstructs with the source prompt and edits differently with another")
  func seeds() async throws {
    let (model, _) = nonlinearWorld()
    var edits: [Latent] = []
    for seed in 1...3 as ClosedRange<UInt64> {
      let tape = SeededTape(seed: seed)
      let inversion = try await method().invert(
        photo, from: cat, keepsEveryLevel: false, model: model, tape: tape)
      let same = try await method().edit(inversion, to: cat, model: model)
      #expect(same.isClose(to: photo, within: 12 * halfUlp))
      edits.append(try await method().edit(inversion, to: tiger, model: model))
    }
    #expect(edits[0].distance(to: edits[1]) > 0.01 && edits[1].distance(to: edits[2]) > 0.01)
  }

  @Test("without the last residual the error is −δ₁ = −√V₁·z₁")
  func lastNoise() async throws {
    let (model, _) = nonlinearWorld()
    let trace = Trace()
    let out = try await method(zeroLast: 1).edit(
      photo, from: cat, to: cat, model: model, tape: tape, observer: trace.observer)
    let step = try model.schedule.samplingGrid(steps: 10).transition(from: 1)
    let error = Latent.combination([(-step.sigma(eta: 1), trace.latents("z1_before_zeroing")[0])])
    #expect((out - photo).isClose(to: error, within: 16 * halfUlp))
    #expect(trace.latents("zs")[0].maxMagnitude == 0 && trace.latents("residuals")[0].maxMagnitude == 0)
    #expect(trace.latents("zs").count == 10 && trace.latents("xs").count == 11)
  }

  @Test(
    "a plain edit inverts the edited levels only and gives the same picture as a full inversion, bit for bit")
  func partial() async throws {
    let (model, counter) = nonlinearWorld()
    let method = method(skip: 4)
    let plain = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape)
    #expect(counter.evaluations == method.evaluations(hasSourcePrompt: true))
    let full = try await method.invert(photo, from: cat, keepsEveryLevel: true, model: model, tape: tape)
    let edited = try await method.edit(full, to: tiger, model: model)
    #expect(plain.isIdentical(to: edited))
    #expect(full.states.count == 11)
    for skip in [0, 2, 7] {
      var other = method
      other.skippedSteps = skip
      let edited = try await other.edit(full, to: tiger, model: model)
      let plain = try await other.edit(photo, from: cat, to: tiger, model: model, tape: tape)
      // The start differs by the rounding of a corrected state; the stub's slope and 10 steps magnify it.
      #expect(plain.isClose(to: edited, within: 1e-4))
    }
  }

  @Test("evaluations of the defaults")
  func evaluations() {
    let method = DDPMInversion()
    #expect(method.evaluations(hasSourcePrompt: false) == 64 + 128)
    #expect(method.evaluations(hasSourcePrompt: true) == 128 + 128)
    #expect(method.inversionEvaluations(levels: 100, hasSourcePrompt: true) == 200)
    #expect(method.storageBytes(height: 64, width: 64) == 65 * 64 * 64 * 4 * 4)
  }

  @Test("a last level of ᾱ = 1 has no noise map, and its residual is what the prediction misses")
  func alphaOne() async throws {
    let (model, _) = try nonlinearWorld(schedule: NoiseSchedule(setsAlphaToOne: true))
    let trace = Trace()
    let inversion = try await method().invert(
      photo, from: cat, keepsEveryLevel: true, model: model, tape: tape, observer: trace.observer)
    #expect(trace.latents("zs")[0].maxMagnitude == 0 && trace.latents("zs")[1].maxMagnitude > 0)
    let step = try model.schedule.samplingGrid(steps: 10).transition(from: 1)
    let x = inversion.states[1]!
    let eps = try await model.guided(x, timestep: step.timestep, cat, 3.5)
    #expect(inversion.residuals[1]!.isClose(to: photo - step.denoised(x, eps), within: 3 * 16 * halfUlp))
    // Dropped, as in the released code, the last prediction is the result.
    let official = try await method(zeroLast: 1).edit(inversion, to: cat, model: model)
    #expect(official.isClose(to: step.denoised(x, eps), within: 3 * 16 * halfUlp))
    #expect(official.distance(to: photo) > 0.1)
  }

  /// Point mass: ε is known, μ = √c·x₀ + √(1−c−V)·n, and z is a sum of two independent noises.
  @Test("noise maps are larger than white noise and negatively correlated along the levels")
  func statistics() async throws {
    let photo = Latent(height: 128, width: 128, repeating: 0.5)
    var method = DDPMInversion()
    (method.steps, method.skippedSteps, method.zeroLast) = (100, 48, 0)
    method.sourceGuidance = 1
    let model = gaussianWorld(variance: 0, like: photo)
    let trace = Trace()
    _ = try await method.invert(
      photo, from: Condition(mean: photo), keepsEveryLevel: false, model: model, tape: tape,
      observer: trace.observer)
    let z = trace.latents("zs")
    let grid = try model.schedule.samplingGrid(steps: 100)
    let (step, above) = (grid.transition(from: 50), grid.transition(from: 51))
    let (b, c, v) = (step.alphaBar, step.nextAlphaBar, step.posteriorVariance)
    let variance = 2 * (1 - c) / v - 1
    let covariance =
      -(1 - b).squareRoot() * (1 - c - v).squareRoot() / (v * above.posteriorVariance).squareRoot()
    // ⟨s·n·√(1−c−V)·n⟩ / √(V·V): the noise of level 50 enters both maps.
    #expect(abs(variance - 30.147) < 5e-4)
    #expect(abs(covariance + 15.034) < 5e-4)
    let (z50, z51) = (z[49].values.map(Double.init), z[50].values.map(Double.init))
    let n = Double(z50.count)
    // Five standard errors of a variance and of a covariance.
    #expect(abs(Moments(z50).variance - variance) < 5 * variance * (2 / n).squareRoot())
    let measured = zip(z50, z51).reduce(0) { $0 + $1.0 * $1.1 } / n
    #expect(abs(measured - covariance) < 5 * (2 * variance * variance / n).squareRoot())
  }

  @Test("the edit follows the photo's path by the difference of the two means")
  func pathIdentity() async throws {
    let (model, _) = nonlinearWorld()
    let (method, trace) = (method(), Trace())
    _ = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape, observer: trace.observer)
    let grid = try model.schedule.samplingGrid(steps: 10)
    let (xs, traj) = (trace.latents("xs"), trace.latents("traj"))
    var edited = xs[10]
    for level in (1...10).reversed() {
      let step = grid.transition(from: level)
      let target = try await model.guided(edited, timestep: step.timestep, tiger, 3.5)
      let source = try await model.guided(xs[level], timestep: step.timestep, cat, 3.5)
      let next = step.pairedStep(edited, target, along: xs[level], source, to: xs[level - 1], eta: 1)
      edited = traj[10 - level]
      // z is rounded at magnitudes below 64 and σ below 1, the rest below 16.
      #expect(next.isClose(to: edited, within: 128 * halfUlp))
    }
  }

  /// Textbook DDIM, and the paper, have η²·V; the released code, inverting and sampling, η·V.
  @Test("below η = 1 the direction term leaves room for η·V, and the photo still comes back")
  func halfNoise() async throws {
    let (model, _) = nonlinearWorld()
    var method = method()
    method.eta = 0.5
    let trace = Trace()
    let out = try await method.edit(
      photo, from: cat, to: cat, model: model, tape: tape, observer: trace.observer)
    #expect(out.isClose(to: photo, within: 128 * halfUlp))
    let grid = try model.schedule.samplingGrid(steps: 10)
    let (xs, zs) = (trace.latents("xs"), trace.latents("zs"))
    for level in 2...10 {
      let step = grid.transition(from: level)
      let (c, v) = (step.nextAlphaBar, step.posteriorVariance)
      let eps = try await model.guided(xs[level], timestep: step.timestep, cat, 3.5)
      let expected = Latent.combination([
        (c.squareRoot(), step.denoised(xs[level], eps)), ((1 - c - 0.5 * v).squareRoot(), eps),
        (0.5 * v.squareRoot(), zs[level - 1]),
      ])
      // x̂₀ and z are rounded at magnitudes below 128, the sum below 16.
      #expect(expected.isClose(to: xs[level - 1], within: (2 * 128 + 16) * halfUlp), "level \(level)")
    }
  }

  @Test("refuses to skip everything, η = 0, and an inversion of another grid")
  func refusals() async throws {
    var method = method(skip: 10)
    #expect(throws: EditError.self) { try method.validate(on: .stableDiffusion) }
    method.skippedSteps = 2
    method.eta = 0
    #expect(
      throws: EditError.parameter(
        method: "ddpm-inversion", name: "eta", value: "0.0", allowed: "a number over 0, up to 1")
    ) { try method.validate(on: .stableDiffusion) }
    method.eta = 1
    let (model, _) = nonlinearWorld()
    let inversion = try await method.invert(
      photo, from: cat, keepsEveryLevel: false, model: model, tape: tape)
    method.skippedSteps = 3
    await #expect(throws: EditError.self) { try await method.edit(inversion, to: cat, model: model) }
    method.steps = 12
    await #expect(throws: EditError.self) { try await method.edit(inversion, to: cat, model: model) }
  }
}
