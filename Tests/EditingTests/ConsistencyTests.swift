import Editing
import Tensors
import TestSupport
import Testing

@Suite("Latent consistency models") struct ConsistencyTests {
  private func jumps(_ steps: Int) -> TextToImage {
    var method = TextToImage()
    (method.steps, method.guidance, method.sampler) = (steps, 1, .lcm)
    return method
  }

  @Test("in a world of one picture every number of jumps ends on it", arguments: [1, 2, 4, 8])
  func pointMass(steps: Int) async throws {
    let picture = latent(1)
    let model = gaussianWorld(variance: 0, like: picture)
    let out = try await jumps(steps).generate(
      Condition(mean: picture), height: 7, width: 11, model: model, tape: SeededTape(seed: 3))
    // At the lowest last timestep (N = 8: 139) c_skip is 1.3e-7 and 1 − c_out 6.5e-8, of values below 10; x̂₀ takes a
    // Float ε apart, which s/a magnifies: 64 at t = 999.
    #expect(out.isClose(to: picture, within: 64 * 10 * 0x1p-23))
  }

  @Test("a photo comes back from any noise where the world is that photo")
  func photo() async throws {
    let picture = latent(2)
    let model = gaussianWorld(variance: 0, like: picture)
    var method = SDEdit()
    (method.steps, method.strength, method.guidance, method.sampler) = (4, 0.8, 1, .lcm)
    let out = try await method.edit(
      picture, to: Condition(mean: picture), model: model, tape: SeededTape(seed: 4))
    #expect(out.isClose(to: picture, within: 64 * 10 * 0x1p-23))
  }

  @Test("draws once for the start and once between two jumps, and evaluates once a jump", arguments: [1, 4])
  func draws(steps: Int) async throws {
    let (model, counter) = nonlinearWorld()
    var method = SDEdit()
    (method.steps, method.strength, method.guidance, method.sampler) = (steps, 0.7, 1, .lcm)
    let tape = RecordedTape((0..<steps).map { .normal(Latent.stacked([latent(UInt64($0))])) })
    let trace = Trace()
    let out = try await method.edit(latent(9), to: cat, model: model, tape: tape, observer: trace.observer)
    #expect(tape.unused == [])
    #expect(counter.evaluations == steps && method.evaluations == steps)
    #expect(trace.latents("traj").count == steps + 1 && trace.latents("traj").last == out)
    method.guidance = 2
    #expect(method.evaluations == 2 * steps)
  }

  @Test(
    "tells the network the guidance in every question, whatever the sampler",
    arguments: PictureSampler.allCases)
  func told(sampler: PictureSampler) async throws {
    let listener = Listener()
    let model = Diffusion(unet: listener, schedule: .stableDiffusion, empty: cat)
    var (painted, edited) = (TextToImage(), SDEdit())
    (painted.steps, painted.sampler, painted.embedGuidance) = (3, sampler, 8.5)
    (edited.steps, edited.sampler, edited.embedGuidance) = (4, sampler, 3)
    _ = try await painted.generate(cat, height: 3, width: 5, model: model, tape: SeededTape(seed: 1))
    #expect(await listener.heard == Array(repeating: 8.5, count: 6))
    _ = try await edited.edit(latent(1), to: cat, model: model, tape: SeededTape(seed: 1))
    #expect(await Set(listener.heard) == [8.5, 3])
  }

  @Test("runs no more jumps than the part of the distillation that its strength leaves it")
  func tooMany() throws {
    var method = SDEdit()
    (method.steps, method.strength, method.sampler) = (25, 0.5, .lcm)
    try method.validate(on: .stableDiffusion)
    method.steps = 26
    #expect(throws: EditError.gridTooFine(steps: 26, limit: 25)) {
      try method.validate(on: .stableDiffusion)
    }
    #expect(throws: EditError.gridTooFine(steps: 51, limit: 50)) {
      try jumps(51).validate(on: .stableDiffusion)
    }
    method.strength = 0.01
    #expect(failure(EditError.self) { try method.validate(on: .stableDiffusion) } != nil)
  }

  @Test("takes the defaults of its kind, under what the caller and the model say")
  func defaults() throws {
    func configured(
      _ method: EditMethod, model: MethodSettings = [:], _ change: (inout ModelKind) -> Void
    ) throws -> EditMethod.Configured {
      var outline = EditOutline()
      change(&outline.kind)
      return try method.configured(for: outline, model: model)
    }
    let told = try configured(.sdedit(steps: 6)) { ($0.isConsistency, $0.isToldGuidance) = (true, true) }
    let edit = try #require(told.method as? SDEdit)
    #expect((edit.steps, edit.strength, edit.guidance, edit.sampler) == (6, 0.8, 1, .lcm))
    #expect(edit.embedGuidance == 8.5)
    #expect(told.sources["steps"] == .caller && told.sources["strength"] == .kind)

    // An LCM-LoRA over an ordinary model: the caller says so.
    let lora = try configured(.generate(sampler: .lcm), model: ["cfg-scale": .number(1.5)]) { _ in }
    let picture = try #require(lora.method as? TextToImage)
    #expect((picture.steps, picture.guidance, picture.embedGuidance) == (4, 1.5, nil))
    #expect(lora.sources == ["sampler": .caller, "cfg-scale": .model, "steps": .kind])

    let turbo = try configured(.generate()) { $0.isDistilled = true }
    let few = try #require(turbo.method as? TextToImage)
    #expect((few.steps, few.guidance, few.sampler) == (4, 1, .ode))
    let inverted = try configured(.ddpmInversion()) { $0.isDistilled = true }
    let ddpm = try #require(inverted.method as? DDPMInversion)
    #expect((ddpm.sourceGuidance, ddpm.targetGuidance) == (1, 1))
    #expect(try configured(.generate()) { _ in }.sources.isEmpty)
  }

  @Test("is refused by methods that cannot tell the guidance, which name those that can")
  func otherMethods() {
    var kind = ModelKind()
    (kind.isConsistency, kind.isToldGuidance) = (true, true)
    let able = EditMethods.all.filter { $0.tellsGuidance }.names
    #expect(Set(able).isSuperset(of: ["generate", "sdedit"]))
    for method in EditMethods.all {
      let error = failure(EditError.self) { try method.check(kind) }
      let name = method.about.name
      #expect(error == (able.contains(name) ? nil : .needsToldGuidance(method: name, known: able)))
      #expect(failure(EditError.self) { try method.check(ModelKind()) } == nil)
    }
  }

  @Test("is the only kind of model whose network is told the guidance")
  func notHeard() throws {
    #expect(throws: SettingError.self) { try EditMethod.sdedit(embedGuidance: 8.5).configured() }
    var outline = EditOutline()
    outline.kind.isToldGuidance = true
    _ = try EditMethod.sdedit(embedGuidance: 8.5).configured(for: outline)
  }
}

/// A network that answers nothing of note and remembers what guidance it was told.
private actor Listener: NoisePredictor {
  private(set) var heard: [Double?] = []

  func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
    heard += queries.map(\.toldGuidance)
    return queries.map { NoisePrediction(noise: $0.latent) }
  }
}
