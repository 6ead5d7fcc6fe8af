import Editing
import Tensors
import TestSupport
import Testing

@Suite("Semantic guidance") struct SemanticGuidanceTests {
  let photo = latent(31)
  let tape = SeededTape(seed: 9)
  let snow = Condition(text: "snow")
  let glasses = Condition(text: "glasses")

  private func ledits(_ concepts: [Concept], guidance: Double = 5) -> LEDITS {
    var method = LEDITS()
    (method.inversion.steps, method.inversion.skippedSteps, method.inversion.targetGuidance) = (
      8, 2, guidance
    )
    method.semantics.concepts = concepts
    return method
  }

  private func run(
    _ concepts: [Concept], _ texts: [Condition], to target: Condition? = nil
  ) async throws -> Latent {
    try await ledits(concepts).edit(photo, to: target, concepts: texts, model: nonlinearWorld().0, tape: tape)
  }

  @Test("the quantile is linear between order statistics")
  func quantiles() {
    let values = [4.0, 1, 3, 2]
    #expect(quantile(values, 0) == 1 && quantile(values, 1) == 4)
    #expect(quantile(values, 0.5) == 2.5)
    #expect(abs(quantile(values, 0.9) - 3.7) < 1e-15)
  }

  @Test("a concept of scale 0, never warmed up, or cooled down from the start is no concept")
  func inactive() async throws {
    for target in [nil, tiger] {
      let plain = try await run([], [], to: target)
      for concept in [
        Concept(scale: 0, warmup: 0, threshold: 0.5), Concept(scale: 7, warmup: 6, threshold: 0.5),
        Concept(scale: 7, warmup: 0, cooldown: 0, threshold: 0.5),
        Concept(scale: 7, warmup: 0, threshold: 0.5, weight: -1),
      ] {
        #expect(try await run([concept], [snow], to: target) == plain)
      }
      #expect(try await run([Concept(scale: 7, warmup: 2, threshold: 0.5)], [snow], to: target) != plain)
    }
  }

  @Test("direction and the sign of the scale cancel")
  func signs() async throws {
    let plus = try await run([Concept(scale: 7, warmup: 1, threshold: 0.9)], [snow])
    let both = try await run([Concept(scale: -7, direction: .remove, warmup: 1, threshold: 0.9)], [snow])
    #expect(plus == both)
  }

  @Test("the order of concepts does not matter")
  func permutation() async throws {
    let (a, b) = (Concept(scale: 7, warmup: 1, threshold: 0.9), Concept(scale: 4, warmup: 3, threshold: 0.8))
    let ab = try await run([a, b], [snow, glasses])
    let ba = try await run([b, a], [glasses, snow])
    #expect(ab.isClose(to: ba, within: 1e-5))  // sums in Double in another order; 6 steps of a smooth stub
  }

  @Test("threshold 0 keeps every value, 1 only the largest of each channel")
  func thresholds() async throws {
    for (threshold, changed) in [(0.0, 7 * 11 * 4), (1, 4)] {
      var method = SEGA()
      (method.steps, method.guidance) = (1, 1)
      method.semantics.concepts = [Concept(scale: 5, warmup: 0, threshold: threshold)]
      let (model, _) = nonlinearWorld()
      let out = try await method.generate(
        cat, concepts: [snow], height: 7, width: 11, model: model, tape: tape)
      method.semantics.concepts[0].scale = 0
      let plain = try await method.generate(
        cat, concepts: [snow], height: 7, width: 11, model: model, tape: tape)
      #expect(zip(out.values, plain.values).count { $0 != $1 } == changed)
    }
  }

  @Test("only some warmed up: their weighted mean; all: the sum with momentum")
  func normalization() async throws {
    // One SEGA step from a start at which both concepts and the prompt are known, in Doubles.
    let (model, _) = nonlinearWorld()
    let concepts = [
      Concept(scale: 3, warmup: 0, threshold: 0, weight: 2),
      Concept(scale: 2, warmup: 1, threshold: 0, weight: 0.5),
    ]
    var method = SEGA()
    (method.steps, method.guidance) = (2, 4)
    method.semantics.concepts = concepts
    let trace = Trace()
    _ = try await method.generate(
      cat, concepts: [snow, glasses], height: 7, width: 11, model: model, tape: tape, observer: trace.observer
    )
    let traj = trace.latents("traj")
    let grid = try model.schedule.samplingGrid(steps: 2)
    var momentum = Latent(height: 7, width: 11)
    for i in 0...1 {
      let step = grid.transition(from: 2 - i)
      let e = try await model.unet.noise(
        [model.empty, cat, snow, glasses].map { NoiseQuery(traj[i], timestep: step.timestep, $0) })
      let (d0, d1) = (3 * (e[2] - e[0]), 2 * (e[3] - e[0]))
      let sum = Latent.combination([(2, d0), (0.5, d1), (0.1, momentum)])
      let term = i == 0 ? d0 : sum  // first step: the mean over the warm one alone
      let eps = Latent.combination([(1, e[0]), (4, e[1] - e[0]), (1, term)])
      momentum = .combination([(0.4, momentum), (0.6, sum)])
      #expect(step.mean(traj[i], eps, eta: 0).isClose(to: traj[i + 1], within: 64 * 32 * halfUlp))
    }
  }

  @Test("what is warm without weight adds nothing while others are cold")
  func noWeight() async throws {
    let weightless = Concept(scale: 7, warmup: 0, threshold: 0.5, weight: 0)
    let cold = Concept(scale: 7, warmup: 6, threshold: 0.5)
    #expect(try await run([weightless, cold], [snow, glasses]) == run([], []))
  }

  @Test("of a concept that has cooled down only the momentum stays, and fades")
  func cooledDown() async throws {
    let (model, counter) = nonlinearWorld()
    var method = SEGA()
    (method.steps, method.guidance) = (3, 4)
    method.semantics.concepts = [Concept(scale: 3, warmup: 0, cooldown: 1, threshold: 0)]
    let trace = Trace()
    _ = try await method.generate(
      cat, concepts: [snow], height: 7, width: 11, model: model, tape: tape, observer: trace.observer)
    #expect(counter.evaluations == method.evaluations && counter.evaluations == 3 + 2 + 2)
    let traj = trace.latents("traj")
    let grid = try model.schedule.samplingGrid(steps: 3)
    var momentum = Latent(height: 7, width: 11)
    for i in 0...2 {
      let step = grid.transition(from: 3 - i)
      let e = try await model.unet.noise(
        [model.empty, cat, snow].map { NoiseQuery(traj[i], timestep: step.timestep, $0) })
      let term = Latent.combination([(i == 0 ? 3 : 0, e[2] - e[0]), (0.1, momentum)])
      let eps = Latent.combination([(1, e[0]), (4, e[1] - e[0]), (1, term)])
      momentum = .combination([(0.4, momentum), (0.6, term)])
      // As where concepts are summed: guidance below 64, in steps whose factors are below 32.
      #expect(step.mean(traj[i], eps, eta: 0).isClose(to: traj[i + 1], within: 64 * 32 * halfUlp))
      #expect(i == 0 || term.maxMagnitude > 100 * 64 * 32 * halfUlp)
    }
  }

  @Test("presets are those of the LEDITS demo")
  func presets() {
    #expect(Concept.style == Concept(scale: 8, warmup: 2, threshold: 0.92))
    #expect(Concept.face == Concept(scale: 5, warmup: 2, threshold: 0.95))
    #expect(Concept.object == Concept(scale: 15, warmup: 5, threshold: 0.95))
  }

  // In a Gaussian world of equal variances ε_c − ε_u does not depend on x, so that a concept's direction is
  // the same at every step and every step is linear in it.
  private func displaced(_ concepts: [(Concept, Latent)]) async throws -> Latent {
    var method = SEGA()
    method.steps = 20
    method.semantics.concepts = concepts.map(\.0)
    let out = try await method.generate(
      Condition(mean: latent(1)), concepts: concepts.map { Condition(mean: $0.1) }, height: 7, width: 11,
      model: gaussianWorld(variance: 0.5, like: photo), tape: tape)
    var plain = TextToImage()
    plain.steps = 20
    return out
      - (try await plain.generate(
        Condition(mean: latent(1)), height: 7, width: 11, model: gaussianWorld(variance: 0.5, like: photo),
        tape: tape))
  }

  @Test("a Gaussian world moves linearly in the scale, inside the support, with the sign of the direction")
  func gaussianWorldLinear() async throws {
    let mean = latent(2)
    let concept = Concept(scale: 2, warmup: 3, threshold: 0.75)
    let once = try await displaced([(concept, mean)])
    var (double, removed) = (concept, concept)
    double.scale = 4
    removed.direction = .remove
    // Predictions are rounded at magnitudes below 16 in each of 20 steps, whose slopes are about 1.
    let tolerance = 2 * 20 * 2 * 16 * halfUlp
    #expect((2 * once).isClose(to: try await displaced([(double, mean)]), within: 2 * tolerance))
    #expect((-1 * once).isClose(to: try await displaced([(removed, mean)]), within: tolerance))

    for c in 0..<4 {
      let channel = (0..<77).map { Double(abs(mean.values[$0 * 4 + c])) }
      let bound = quantile(channel, 0.75)
      for p in 0..<77 {
        let moved = abs(once.values[p * 4 + c])
        #expect(channel[p] >= bound ? moved > 0.1 : moved <= tolerance)
      }
    }
  }

  @Test("in a Gaussian world concepts of equal times add up")
  func gaussianWorldAdditive() async throws {
    let a = (Concept(scale: 2, warmup: 3, threshold: 0.75), latent(2))
    let b = (Concept(scale: 3, direction: .remove, warmup: 3, threshold: 0.5), latent(3))
    let sum = try await displaced([a]) + displaced([b])
    #expect(sum.isClose(to: try await displaced([a, b]), within: 3 * 2 * 20 * 2 * 16 * halfUlp))
  }

  @Test("workflow 1 asks 1 + C, workflow 2 asks 2 + C predictions per step")
  func evaluations() async throws {
    let concepts = [
      Concept(scale: 7, warmup: 1, threshold: 0.9), Concept(scale: 7, warmup: 1, cooldown: 4, threshold: 0.9),
    ]
    let method = ledits(concepts)
    for (source, target) in [(nil, nil), (nil, tiger), (cat, tiger)] as [(Condition?, Condition?)] {
      let (model, counter) = nonlinearWorld()
      _ = try await method.edit(
        photo, from: source, to: target, concepts: [snow, glasses], model: model, tape: tape)
      #expect(
        counter.evaluations
          == method.evaluations(hasSourcePrompt: source != nil, hasTargetPrompt: target != nil))
    }
    var standard = LEDITS()
    standard.semantics.concepts = [.ledits, .ledits]
    #expect(standard.evaluations(hasSourcePrompt: false, hasTargetPrompt: false) == 64 + 64 * 3)
    #expect(standard.evaluations(hasSourcePrompt: false, hasTargetPrompt: true) == 64 + 64 * 4)
  }

  @Test("says that a removal alone leaves open what comes, and where to go instead")
  func removal() async throws {
    var removed = Concept(scale: 5, direction: .remove, warmup: 0, threshold: 0.5)
    func warnings(_ concepts: [Concept], to target: Condition? = nil) async throws -> [String] {
      let trace = Trace()
      _ = try await ledits(concepts).edit(
        photo, to: target, concepts: concepts.map { _ in snow }, model: nonlinearWorld().0, tape: tape,
        observer: trace.observer)
      return trace.warnings
    }
    #expect(try await warnings([removed]).map { $0.contains("inpaint") } == [true])
    #expect(try await warnings([removed, removed]).count == 1)
    #expect(try await warnings([removed], to: tiger) == [])
    var plus = LEDITSPlusPlus()
    (plus.steps, plus.mode, plus.concepts) = (2, .noise, [removed])
    let trace = Trace()
    _ = try await plus.edit(
      photo, concepts: [snow], model: nonlinearWorld().0, tape: tape, observer: trace.observer)
    #expect(trace.warnings.count == 1)
    removed.direction = .add
    #expect(try await warnings([removed]) == [])
  }

  @Test("without concepts LEDITS is the plain edit")
  func noConcepts() async throws {
    let plain = try await ledits([]).inversion.edit(
      photo, from: nil, to: tiger, model: nonlinearWorld().0, tape: tape)
    #expect(try await run([], [], to: tiger).isIdentical(to: plain))
  }

  @Test("refuses texts that do not match the concepts")
  func count() async throws {
    await #expect(throws: EditError.conceptCount(method: "ledits", settings: 1, conditions: 0)) {
      _ = try await run([.ledits], [])
    }
  }
}
