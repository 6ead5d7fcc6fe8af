import Editing
import Tensors
import TestSupport
import Testing

@Suite("Text to image and SDEdit") struct SamplingTests {
  @Test("in a world of one picture every run ends on it", arguments: [PictureSampler.ode, .sde])
  func pointMass(sampler: PictureSampler) async throws {
    let picture = latent(1)
    var method = TextToImage()
    method.sampler = sampler
    method.guidance = 1
    let model = gaussianWorld(variance: 0, like: picture)
    let out = try await method.generate(
      Condition(mean: picture), height: 7, width: 11, model: model, tape: SeededTape(seed: 3))
    // What is left at ᾱ_0 = 0.99915: a·μ + s·(something standard normal), |·| below 5.
    let s = Float(model.schedule.noise(0))
    #expect(out.isClose(to: Double(model.schedule.signal(0)) * picture, within: 5 * s))
  }

  @Test("evaluations are as planned", arguments: [0, 1, 7.5])
  func evaluations(guidance: Double) async throws {
    let (model, counter) = nonlinearWorld()
    var method = TextToImage()
    (method.steps, method.guidance) = (7, guidance)
    _ = try await method.generate(cat, height: 3, width: 5, model: model, tape: SeededTape(seed: 1))
    #expect(counter.evaluations == method.evaluations)
    #expect(TextToImage().evaluations == 100)
    #expect(SDEdit().evaluations == 50)
  }

  @Test("uses every draw of the tape: 1 or 1 + N", arguments: [PictureSampler.ode, .sde])
  func draws(sampler: PictureSampler) async throws {
    let (model, _) = nonlinearWorld()
    var method = SDEdit()
    (method.steps, method.strength, method.sampler) = (5, 0.6, sampler)
    let tape = RecordedTape(
      (0..<(sampler == .sde ? 4 : 1)).map { .normal(Latent.stacked([latent(UInt64($0))])) })
    let trace = Trace()
    let out = try await method.edit(latent(9), to: cat, model: model, tape: tape, observer: trace.observer)
    #expect(tape.unused == [])
    #expect(trace.latents("traj").count == 4)
    #expect(trace.latents("traj").last == out && trace.latents("out") == [out])
  }

  @Test("no noise is drawn for a last step into ᾱ = 1")
  func lastStep() async throws {
    let (model, _) = try nonlinearWorld(schedule: NoiseSchedule(setsAlphaToOne: true))
    var method = SDEdit()
    (method.steps, method.strength) = (5, 0.6)
    let tape = RecordedTape((0..<3).map { .normal(Latent.stacked([latent(UInt64($0))])) })
    _ = try await method.edit(latent(9), to: cat, model: model, tape: tape)
    #expect(tape.unused == [])
  }

  @Test("a strength below one step returns the photo, and is refused before a run")
  func nothing() async throws {
    let (model, counter) = nonlinearWorld()
    var method = SDEdit()
    (method.steps, method.strength) = (6, 0.1)
    let out = try await method.edit(latent(9), to: cat, model: model, tape: SeededTape(seed: 1))
    #expect(out.isIdentical(to: latent(9)))
    #expect(counter.evaluations == 0)
    #expect(throws: EditError.self) { try method.validate(on: model.schedule) }
  }

  @Test("refuses a strength that means nothing", arguments: [0, -0.1, 1.01, Double.nan])
  func strength(value: Double) {
    var method = SDEdit()
    method.strength = value
    let refusal = EditError.parameter(
      method: "sdedit", name: "strength", value: "\(value)", allowed: "a number over 0, up to 1")
    #expect(throws: refusal) { try method.validate(on: .stableDiffusion) }
  }

  @Test("stops when a prediction is not finite, naming the step")
  func nonFinite() async throws {
    struct Broken: PointwisePredictor {
      func noise(_ query: NoiseQuery) -> Latent {
        Latent(like: query.latent, values: query.latent.values.map { query.timestep < 600 ? .nan : $0 })
      }
    }
    let model = Diffusion(unet: Broken(), schedule: .stableDiffusion, empty: cat)
    await #expect(throws: EditError.nonFinite(method: "generate", step: 3)) {
      var method = TextToImage()
      method.steps = 5  // 801, 601, 401
      _ = try await method.generate(cat, height: 3, width: 5, model: model, tape: SeededTape(seed: 1))
    }
  }
}
