import Editing
import Synchronization
import Tensors
import TestSupport
import Testing

/// Prompt tuning and null-text inversion in the nonlinear world, whose derivative is known.
@Suite("Tuned inversion") struct TunedInversionTests {
  static let photo = latent(91, height: 8, width: 8)
  static let velocity = try! NoiseSchedule(prediction: "v_prediction")

  struct Case: Sendable, CustomStringConvertible {
    var description: String
    var method: any InvertingMethod
    var schedule = NoiseSchedule.stableDiffusion
    /// The prompt with which an edit repeats what tuning did, beside an interpolation of 0.
    var retraced = tiger
  }

  static func pti(_ change: (inout PromptTuningInversion) -> Void = { _ in }) -> PromptTuningInversion {
    var method = PromptTuningInversion()
    (method.steps, method.innerSteps, method.guidance) = (3, 2, 3)
    change(&method)
    return method
  }

  static func nullText(_ change: (inout NullTextInversion) -> Void = { _ in }) -> NullTextInversion {
    var method = NullTextInversion()
    (method.steps, method.innerSteps, method.guidance, method.stop) = (3, 2, 3, 0)
    change(&method)
    return method
  }

  static let cases = [
    Case(description: "pti", method: pti()),
    Case(description: "pti of velocity", method: pti(), schedule: velocity),
    Case(description: "pti source", method: pti { ($0.path, $0.initial) = (.source, .source) }),
    Case(
      description: "pti quick",
      method: pti { ($0.innerSteps, $0.weightDecay, $0.loss, $0.guidance) = (1, 1e-2, .sum, 5) }),
    Case(description: "pti empty", method: pti { $0.initial = .empty }),
    Case(description: "pti w = 1", method: pti { $0.guidance = 1 }),
    Case(description: "null-text", method: nullText(), retraced: cat),
    Case(description: "null-text of velocity", method: nullText(), schedule: velocity, retraced: cat),
    Case(
      description: "null-text that stops", method: nullText { ($0.innerSteps, $0.stop) = (4, 1e3) },
      retraced: cat),
  ]

  /// An edit, what it reported, the inversion that it kept, and what it asked the network.
  struct Run {
    var latent: Latent
    var trace = Trace()
    var kept: Inversion?
    var evaluations = 0
    var gradients = 0
  }

  static func run(
    _ edit: Case, to target: Condition? = nil, given: Inversion? = nil, traced: Bool = false,
    journal: any EditJournal = NoJournal()
  ) async throws -> Run {
    let (model, counter) = nonlinearWorld(schedule: edit.schedule)
    let (trace, kept) = (Trace(), InversionTests.Box())
    let latent = try await edit.method.edit(
      photo, from: cat, to: target ?? tiger, given: given, model: model,
      observer: traced ? trace.observer : EditObserver(inversion: { kept.put($0) }), journal: journal)
    return Run(
      latent: latent, trace: trace, kept: kept.value, evaluations: counter.evaluations,
      gradients: counter.gradients)
  }

  /// The same with η = 0, where the method has one.
  static func retracing(_ edit: Case) -> Case {
    var edit = edit
    if var method = edit.method as? PromptTuningInversion {
      method.interpolation = 0
      edit.method = method
    }
    return edit
  }

  @Test("retraces its own tuning bit for bit", arguments: cases)
  func retraces(edit: Case) async throws {
    let run = try await Self.run(Self.retracing(edit), to: edit.retraced, traced: true)
    let (tuned, sampled) = (run.trace.latents("rec_traj"), run.trace.latents("traj"))
    #expect(tuned.count == 3 && sampled.count == 3)
    for (a, b) in zip(tuned, sampled) { #expect(a.isIdentical(to: b)) }
    #expect(run.trace.latents("reconstruction").last?.isIdentical(to: run.latent) == true)
  }

  @Test(
    "comes nearer to the photo than without tuning", arguments: cases.prefix { $0.description != "pti w = 1" }
  )
  func reconstructs(edit: Case) async throws {
    var untuned = edit
    if var method = edit.method as? PromptTuningInversion {
      method.innerSteps = 0
      untuned.method = method
    }
    let (with, without) = (
      try await Self.run(Self.retracing(edit)), try await Self.run(Self.retracing(untuned))
    )
    #expect(with.latent.distance(to: Self.photo) < without.latent.distance(to: Self.photo))
  }

  @Test("follows the gradient of how far a step ends from the path", arguments: cases)
  func gradient(edit: Case) async throws {
    let run = try await Self.run(edit, traced: true)
    let path = run.trace.latents("inverted")
    let (model, _) = nonlinearWorld(schedule: edit.schedule)
    let step = try edit.schedule.samplingGrid(steps: 3).transition(from: 3)
    let pti = edit.method as? PromptTuningInversion
    let guidance = pti?.guidance ?? (edit.method as! NullTextInversion).guidance
    let starts: [PromptTuningInversion.Prompt: Condition] = [
      .target: tiger, .source: cat, .empty: model.empty,
    ]
    let start = starts[pti?.initial ?? .empty]!

    func loss(_ context: HostTensor) async throws -> Double {
      let tuned = Condition(context: context)
      let query = GuidedQuery(
        path[3], timestep: step.timestep, pti == nil ? cat : tuned, Guidance(guidance),
        over: pti == nil ? tuned : model.empty)
      let x = step.mean(path[3], try await model.guided([query])[0], eta: 0)
      let sum = zip(x.values, path[2].values).reduce(0) {
        $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
      }
      return pti?.loss == .sum ? sum : sum / Double(x.values.count)
    }
    let reported = Double(try #require(run.trace.tensors("losses").first).values[0])
    let value = try await loss(start.context)
    #expect(abs(reported - value) <= 1e-5 * value)  // sums of squares of Floats, in one order or another

    let gradient = try #require(run.trace.tensors("first_grad").first)
    let largest = gradient.values.map { abs($0) }.max()!
    for j in stride(from: 0, to: gradient.count, by: 5) {
      var (up, down) = (start.context, start.context)
      let h: Float = 0x1p-6
      up.values[j] += h
      down.values[j] -= h
      let difference = (try await loss(up) - loss(down)) / (2 * Double(h))
      // What the third derivative adds over 2⁻⁶, and Floats' last digits over 2⁻⁵.
      #expect(abs(difference - Double(gradient.values[j])) <= 2e-3 * Double(largest), "\(j)")
    }
  }

  @Test("costs what was planned, and the sampling alone with its inversion", arguments: cases)
  func evaluations(edit: Case) async throws {
    let method = edit.method
    let stops = edit.description.contains("stops")
    let first = try await Self.run(edit)
    let outline = method.outline(hasSourcePrompt: true)
    #expect(first.evaluations == method.evaluations(outline) - (stops ? 9 : 0))
    #expect(first.gradients == method.gradients(outline) - (stops ? 9 : 0))
    let again = try await Self.run(edit, given: first.kept)
    let given = method.outline(hasSourcePrompt: true, inversion: .given)
    #expect(again.latent.isIdentical(to: first.latent))
    #expect(again.evaluations == method.evaluations(given) && again.gradients == 0)
    #expect(method.gradients(given) == 0 && method.demands(given) == .floats)
    #expect(method.demands(outline) == [.floats, .contextGradient])
  }

  @Test(
    "a kept inversion serves another prompt, another interpolation, and may hold more than is needed",
    arguments: cases)
  func kept(edit: Case) async throws {
    var inversion = try #require(try await Self.run(edit).kept)
    #expect(inversion.embeddings.keys.sorted() == [1, 2, 3] && inversion.states.keys.sorted() == [0, 3])
    inversion.embeddings[9] = inversion.embeddings[1]
    inversion.states[9] = inversion.states[0]
    let dog = Condition(text: "a dog on snow")
    let (other, same) = (
      try await Self.run(edit, to: dog, given: inversion), try await Self.run(edit, given: inversion)
    )
    #expect(!other.latent.isIdentical(to: same.latent))
    var half = edit
    if var method = edit.method as? PromptTuningInversion {
      method.interpolation = 0.25
      half.method = method
      let quarter = try await Self.run(half, given: inversion)
      #expect(!quarter.latent.isIdentical(to: same.latent))
    }
  }

  @Test("a kept inversion holds no more than its method says", arguments: cases)
  func storage(edit: Case) async throws {
    let inversion = try #require(try await Self.run(edit).kept)
    var outline = edit.method.outline(hasSourcePrompt: true, inversion: .kept)
    outline.contextValues = 4 * 8
    let stored = edit.method.storageBytes(outline, height: 8, width: 8, channels: 4)
    #expect(inversion.byteCount <= stored && stored == 4 * 8 * 8 * 16 + 9 * 4 * 8 * 4)
  }

  @Test(
    "a kept inversion is refused for what shaped it, and where it has no embedding that fits",
    arguments: cases)
  func refusals(edit: Case) async throws {
    let inversion = try #require(try await Self.run(edit).kept)
    for (name, value) in inversion.parameters {
      var other = inversion
      other.parameters[name] = "another"
      await #expect(throws: EditError.inversionMade(with: name, made: "another", asked: value)) {
        _ = try await Self.run(edit, given: other)
      }
    }
    #expect(inversion.parameters["interpolation"] == nil && inversion.parameters["inner-steps"] != nil)
    var other = inversion
    other.embeddings[2] = nil
    await #expect {
      _ = try await Self.run(edit, given: other)
    } throws: { "\($0)".contains("the embedding of level 2") }
    other.embeddings[2] = HostTensor(shape: [4, 9])
    await #expect {
      _ = try await Self.run(edit, given: other)
    } throws: { "\($0)".contains("embeddings are of [4, 9] and the model's of [4, 8]") }
    other.family = "ddim-inversion"
    await #expect(throws: EditError.self) { _ = try await Self.run(edit, given: other) }
  }

  @Test(
    "goes on from every save with the embeddings, the losses and the bits of an unbroken run",
    arguments: cases)
  func resumes(edit: Case) async throws {
    let whole = try await Self.run(edit)
    let losses = Mutex<[[Double]]>([])
    let saves = try await BreakingJournal.atEverySave { journal in
      let (model, _) = nonlinearWorld(schedule: edit.schedule)
      let kept = InversionTests.Box()
      let own = Mutex<[Double]>([])
      let observer = EditObserver(
        inversion: { kept.put($0) }, losses: { loss in own.withLock { $0.append(loss) } })
      let latent = try await edit.method.edit(
        Self.photo, from: cat, to: tiger, model: model, observer: observer, journal: journal)
      losses.withLock { $0.append(own.withLock { $0 }) }
      return (latent, kept.value)
    } check: { latent, inversion in
      #expect(latent.isIdentical(to: whole.latent) && inversion == whole.kept)
    }
    // Per level a state of the path, the updates, the embedding, the next level, and a step of the edit.
    let updates = whole.gradients
    #expect(saves == 3 + updates + 3 + 3 + 3)
    let all = losses.withLock { $0 }
    #expect(all.count == 1 + 3 * saves && all.allSatisfy { $0 == all[0] } && all[0].count == updates)
  }

  @Test("a gradient or a prediction that is not finite stops the run with its step")
  func notFinite() async throws {
    let (sound, _) = nonlinearWorld()
    for method in [Self.pti(), Self.nullText()] as [any InvertingMethod] {
      var outline = method.outline(hasSourcePrompt: true)
      outline.contextValues = 32
      var inputs = EditInputs(outline, height: 8, width: 8)
      (inputs.source, inputs.sourceCondition, inputs.targetCondition) = (Self.photo, cat, tiger)
      var context = EditContext(diffusion: sound, tape: SeededTape(seed: 0))
      await #expect(
        throws: EditError.missing(method: method.name, need: "a network that can be differentiated")
      ) { try await method.run(inputs, in: context) }
      context.derivative = BrokenDerivative()
      await #expect(throws: EditError.gradientNotFinite(method: method.name, step: 1)) {
        try await method.run(inputs, in: context)
      }
    }
  }
}

/// A derivative that overflows.
private struct BrokenDerivative: NoiseDerivative {
  func contextGradient(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradient: HostTensor) {
    (1, HostTensor(shape: query.condition.context.shape, repeating: .nan))
  }
}

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
        // |g| is at least 10⁻⁴ here, ε is 10⁻⁸ of it, and a value below 4 is rounded.
        #expect(abs(abs(a - b) - 0.01) <= 0.01 * 1e-3 + 0x1p-22)
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
    #expect(Set(pooled[3..<12]) == [1, 4] && Set(pooled[12...]) == [1, 0.75 * 4 + 0.25 * 8])
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
    for method in [PromptTuningInversion(), NullTextInversion()] as [any EditingMethod] {
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
    func counts(_ stop: Double) async throws -> [Float] {
      let method = TunedInversionTests.nullText { ($0.innerSteps, $0.stop) = (3, stop) }
      let run = try await TunedInversionTests.run(.init(description: "", method: method), traced: true)
      return run.trace.tensors("counts").map { $0.values[0] }
    }
    let (always, never) = (try await counts(1e3), try await counts(0))
    #expect(always == [1, 1, 1] && never == [3, 3, 3])
    // Just above the first loss of the second level.
    let method = TunedInversionTests.nullText { $0.innerSteps = 3 }
    let run = try await TunedInversionTests.run(.init(description: "", method: method), traced: true)
    let losses: [Double] = run.trace.tensors("losses").map { Double($0.values[0]) }
    let limit = losses[3] * 1.000001 - 2e-5 * 50 / 3
    #expect(losses[0] > limit && losses[6] > limit + 2e-5 * 100 / 3)
    let (above, below) = (try await counts(limit), try await counts(limit - 1e-5 * losses[3]))
    #expect(above[1] == 1 && below[1] > 1)
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
