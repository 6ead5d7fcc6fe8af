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

  static let improvingCases = cases.prefix { $0.description != "pti w = 1" }

  @Test("comes nearer to the photo than without tuning", arguments: improvingCases)
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
    var losses: [[Double]] = []
    let saves = try await BreakingJournal.atEverySave { journal in
      let (model, _) = nonlinearWorld(schedule: edit.schedule)
      let kept = InversionTests.Box()
      let own = Mutex<[Double]>([])
      let observer = EditObserver(
        inversion: { kept.put($0) }, losses: { loss in own.withLock { $0.append(loss) } })
      let latent = try await edit.method.edit(
        Self.photo, from: cat, to: tiger, model: model, observer: observer, journal: journal)
      losses.append(own.withLock { $0 })
      return (latent, kept.value)
    } check: { latent, inversion in
      #expect(latent.isIdentical(to: whole.latent) && inversion == whole.kept)
    }
    // Per level a state of the path, the updates, the embedding, the next level, and a step of the edit.
    let updates = whole.gradients
    #expect(saves == 3 + updates + 3 + 3 + 3)
    #expect(
      losses.count == 1 + 3 * saves && losses.allSatisfy { $0 == losses[0] } && losses[0].count == updates)
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
