import Editing
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("Prompt Tuning Inversion") struct PromptTuningInversionTests {
  private func edit(
    _ change: (inout PromptTuningInversion) -> Void, to target: Condition = tiger
  ) async throws -> TunedInversionTests.Run {
    try await TunedInversionTests.run(
      .init(description: "", method: TunedInversionTests.pti(change)), to: target)
  }

  @Test(
    "without updates, or with a rate of 0, a target's own embedding stays, and the interpolation means nothing"
  )
  func untuned() async throws {
    let plain = try await edit { $0.innerSteps = 0 }
    #expect(plain.kept!.embeddings.values.allSatisfy { $0 == tiger.context } && plain.gradients == 0)
    for eta in [0, 0.3, 1] {
      let other = try await edit { ($0.innerSteps, $0.interpolation) = (0, eta) }
      #expect(other.latent.isIdentical(to: plain.latent))
    }
    let still = try await edit { $0.learningRate = 0 }
    #expect(still.latent.isIdentical(to: plain.latent) && still.kept!.embeddings == plain.kept!.embeddings)
  }

  @Test("with an interpolation of 1 it samples from the inverted photo with the prompt as it is")
  func ends() async throws {
    let run = try await edit { $0.interpolation = 1 }
    let (model, _) = nonlinearWorld()
    let grid = try NoiseSchedule.stableDiffusion.samplingGrid(steps: 3)
    var x = run.kept!.states[3]!
    for level in [3, 2, 1] {
      let step = grid.transition(from: level)
      x = step.mean(x, try await model.guided(x, timestep: step.timestep, tiger, 3.0), eta: 0)
    }
    #expect(run.latent.isIdentical(to: x))
  }

  @Test("the photo is inverted without a prompt as in the paper, or with the source's alone")
  func paths() async throws {
    let (model, _) = nonlinearWorld()
    let grid = try NoiseSchedule.stableDiffusion.samplingGrid(steps: 3)
    for (path, prompt) in [(PromptTuningInversion.Path.unconditional, model.empty), (.source, cat)] {
      let states = try await model.ddimInversion(
        TunedInversionTests.photo, from: prompt, guidance: 1.0, levels: 3, on: grid, method: "pti")
      let start = try await edit { $0.path = path }.kept!.states[3]!
      #expect(start.isIdentical(to: states[3]))
    }
  }

  @Test("the first update of a level moves every value by the learning rate: Adam is fresh on each")
  func fresh() async throws {
    let embeddings = try await edit { $0.innerSteps = 1 }.kept!.embeddings
    var before = tiger.context
    for level in [3, 2, 1] {
      for (a, b) in zip(before.values, embeddings[level]!.values) {
        // |g|/(|g| + ε) of it where |g| is at least 10⁻⁶, as here, and a value below 4 is rounded.
        let moved = abs(a - b)
        #expect(moved >= 0.0099 && moved <= 0.01 + 0x1p-22)
      }
      before = embeddings[level]!
    }
  }

  @Test(
    "a pooled vector is the starting prompt's while tuning, and interpolated like the embedding in the edit")
  func pooled() async throws {
    func told(_ value: Float, _ text: String) -> Condition {
      Condition(
        context: Condition(text: text).context, pooled: HostTensor(shape: [1, 2], repeating: value),
        timeIDs: HostTensor(shape: [1, 6], repeating: value))
    }
    let listener = PooledListener()
    let (target, source) = (told(8, "a tiger"), told(4, "a cat"))
    let model = Diffusion(unet: listener, schedule: .stableDiffusion, empty: told(1, ""))
    let method = TunedInversionTests.pti {
      ($0.initial, $0.innerSteps, $0.interpolation) = (.source, 1, 0.25)
    }
    _ = try await method.edit(TunedInversionTests.photo, from: source, to: target, model: model)
    let pooled = listener.pooled
    #expect(pooled.prefix(3) == [1, 1, 1])  // the inversion
    let interpolated: Float = 0.75 * 4 + 0.25 * 8
    #expect(Set(pooled[3..<12]) == [1, 4] && Set(pooled[12...]) == [1, interpolated])
  }

  @Test("a source prompt that has no use is said to have none")
  func idleSource() async throws {
    let trace = Trace()
    let (model, _) = nonlinearWorld()
    for (method, count) in [
      (TunedInversionTests.pti(), 1), (TunedInversionTests.pti { $0.initial = .source }, 1),
    ] {
      _ = try await method.edit(
        TunedInversionTests.photo, from: cat, to: tiger, model: model, observer: trace.observer)
      #expect(trace.warnings.count == count)
    }
  }

  @Test("needs a prompt that says something")
  func emptyPrompt() {
    var solver = DDPMInversion()
    (solver.solver, solver.steps) = (.dpm2, 15)
    let methods: [any EditingMethod] = [
      PromptTuningInversion(), NullTextInversion(), TurboEdit(), InfEdit(), NegativePromptInversion(),
      PosteriorDistillation(), solver,
    ]
    for method in methods {
      var outline = method.outline(hasSourcePrompt: true)
      outline.prompt = " "
      #expect(throws: EditError.emptyPrompt(method: method.name)) {
        try method.validate(outline, on: .stableDiffusion)
      }
    }
  }
}

/// Remembers the pooled vectors that it is told, in order.
private final class PooledListener: PointwisePredictor, NoiseDerivative {
  private let told = Mutex<[Float]>([])
  private let base = DifferentiablePredictor()
  var pooled: [Float] { told.withLock { $0 } }

  func noise(_ query: NoiseQuery) -> Latent {
    told.withLock { $0.append(query.condition.pooled!.values[0]) }
    return base.noise(query)
  }
  func contextGradient(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradient: HostTensor) {
    told.withLock { $0.append(query.condition.pooled!.values[0]) }
    return try await base.contextGradient(query, of: loss)
  }
}

@Suite("Null-text inversion") struct NullTextInversionTests {
  private func edit(
    _ change: (inout NullTextInversion) -> Void, to target: Condition = tiger
  ) async throws -> TunedInversionTests.Run {
    try await TunedInversionTests.run(
      .init(description: "", method: TunedInversionTests.nullText(change)), to: target)
  }

  @Test("with guidance 1 the embedding has no effect and is not tuned")
  func unguided() async throws {
    let run = try await edit { $0.guidance = 1 }
    let (model, _) = nonlinearWorld()
    #expect(run.kept!.embeddings.values.allSatisfy { $0 == model.empty.context } && run.gradients == 0)
    #expect(run.evaluations == NullTextInversionTests.unguided.evaluations(hasSourcePrompt: true))
  }
  private static let unguided = TunedInversionTests.nullText { $0.guidance = 1 }

  @Test("without updates it is guided sampling from the inverted photo")
  func untuned() async throws {
    let run = try await edit { $0.innerSteps = 0 }
    var plain = DDIMTranslation()
    (plain.steps, plain.targetGuidance) = (3, 3)
    let (model, _) = nonlinearWorld()
    let expected = try await plain.edit(TunedInversionTests.photo, from: cat, to: tiger, model: model)
    #expect(run.latent.isIdentical(to: expected))
  }

  @Test("the learning rate falls to half over the way, in fiftieths whatever the number of steps")
  func rate() async throws {
    let embeddings = try await edit { $0.innerSteps = 1 }.kept!.embeddings
    let (model, _) = nonlinearWorld()
    var before = model.empty.context
    for (i, level) in [3, 2, 1].enumerated() {
      let rate = Float(0.01 * (1 - 50 * Double(i) / 3 / 100))
      for (a, b) in zip(before.values, embeddings[level]!.values) {
        #expect(abs(abs(a - b) - rate) <= rate * 1e-3 + 0x1p-22)
      }
      before = embeddings[level]!
    }
  }

  @Test("a level stops after the update whose loss was small enough, by a limit that rises")
  func stops() async throws {
    func counts(_ stop: Double, rise: Double = 2e-5) async throws -> [Float] {
      let method = TunedInversionTests.nullText { ($0.innerSteps, $0.stop, $0.stopRise) = (3, stop, rise) }
      let run = try await TunedInversionTests.run(.init(description: "", method: method), traced: true)
      return run.trace.tensors("counts").map { $0.values[0] }
    }
    let (always, never) = (try await counts(1e3), try await counts(0))
    #expect(always == [1, 1, 1] && never == [3, 3, 3])
    // A loss is compared with a limit of its level.
    let method = TunedInversionTests.nullText { $0.innerSteps = 3 }
    let run = try await TunedInversionTests.run(.init(description: "", method: method), traced: true)
    let first = Double(run.trace.tensors("losses")[0].values[0])
    let (above, below) = (try await counts(first * 1.00001), try await counts(first * 0.99999))
    #expect(above[0] == 1 && below[0] > 1)
    let rising = try await counts(0, rise: 1e3)
    #expect(rising == [3, 1, 1])
  }

  @Test("starts from the empty prompt as it is encoded, where the model takes zeros for it too")
  func encodedEmpty() async throws {
    let (model, _) = nonlinearWorld()
    let method = TunedInversionTests.nullText { $0.innerSteps = 0 }
    var inputs = EditInputs(method.outline(hasSourcePrompt: true), height: 8, width: 8)
    (inputs.source, inputs.sourceCondition, inputs.targetCondition) = (TunedInversionTests.photo, cat, tiger)
    inputs.encodedEmpty = Condition(text: "encoded")
    let kept = InversionTests.Box()
    let context = EditContext(
      diffusion: model, tape: SeededTape(seed: 0), observer: EditObserver(inversion: { kept.put($0) }))
    _ = try await method.run(inputs, in: context)
    #expect(kept.value!.embeddings.values.allSatisfy { $0 == Condition(text: "encoded").context })
  }
}
