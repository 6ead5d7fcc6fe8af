import Editing
import Tensors
import TestSupport
import Testing

@Suite("LEDITS++") struct LEDITSPlusPlusTests {
  let photo = latent(41, height: 8, width: 12)
  let tape = SeededTape(seed: 10)
  let car = Condition(text: "a yellow car")
  let snow = Condition(text: "snow")

  private func method(_ concepts: [Concept] = [], mode: LEDITSPlusPlus.MaskMode = .noise) -> LEDITSPlusPlus {
    var method = LEDITSPlusPlus()
    (method.steps, method.skip, method.concepts, method.mode) = (6, 0.5, concepts, mode)
    return method
  }

  @Test("runs the last n levels of a grid of ⌊n·(1 + skip)⌋")
  func grid() throws {
    let grid = try NoiseSchedule.stableDiffusion.dpmGrid(steps: 34, spacing: .leading)
    #expect(grid.timesteps.first == 28 * 34 + 1 && grid.timesteps.last == 29)
    #expect(LEDITSPlusPlus().storageBytes(height: 64, width: 64) == 33 * 64 * 64 * 16)
  }

  @Test(
    "without concepts returns the photo to rounding; without the last residual the last prediction",
    arguments: DDPMInversionTests.schedules.indices)
  func reconstruction(schedule: Int) async throws {
    let (model, _) = nonlinearWorld(schedule: DDPMInversionTests.schedules[schedule])
    for concepts in [[], [Concept(scale: 0, warmup: 0, threshold: 0.5)]] {
      var method = method(concepts)
      let trace = Trace()
      let inversion = try await method.invert(photo, model: model, tape: tape, observer: trace.observer)
      let out = try await method.edit(inversion, concepts: concepts.map { _ in car }, model: model)
      #expect(out == inversion.states[0])
      // δ and the sum are rounded below 16.
      #expect(out.isClose(to: photo, within: (16 + 16) * halfUlp))
      method.zeroLast = 1
      let official = try await method.edit(inversion, concepts: concepts.map { _ in car }, model: model)
      let last = trace.latents("residuals")[5]
      #expect(
        official.isClose(to: photo - last, within: 3 * 16 * halfUlp) && official.distance(to: photo) > 0.1)
    }
  }

  @Test("every state is the noised photo, the last one the photo")
  func exactStates() async throws {
    let (model, _) = nonlinearWorld()
    let trace = Trace()
    _ = try await method().edit(photo, concepts: [], model: model, tape: tape, observer: trace.observer)
    let grid = try model.schedule.dpmGrid(steps: 9, spacing: .leading)
    for (i, x) in trace.latents("traj").enumerated() {
      let k = 3 + i + 1
      let n = k < 9 ? try tape.normal(9 - 1 - k, like: photo) : photo
      let expected = Latent.combination([(grid.signal[k], photo), (grid.noise[k], n)])
      // δ and the sums, rounded three times, are below 16.
      #expect(x.isClose(to: expected, within: (16 + 3 * 16) * halfUlp))
    }
    #expect(trace.latents("zs").count == 6 && trace.latents("zs")[5].maxMagnitude == 0)
    #expect(trace.latents("start").count == 1)
  }

  /// One public pipeline unpacks its two embeddings in the wrong order and computes the weight 1 − w.
  @Test("a source prompt of weight 0 is the empty one, and of weight 1 it stands alone")
  func sourceWeight() async throws {
    let (model, _) = nonlinearWorld()
    var method = method()
    method.sourceGuidance = 0
    let unguided = try await method.invert(photo, from: cat, model: model, tape: tape)
    let empty = try await method.invert(photo, model: model, tape: tape)
    #expect(unguided.residuals == empty.residuals)
    method.sourceGuidance = 1
    let conditional = try await method.invert(photo, from: cat, model: model, tape: tape)
    var world = model
    world.empty = cat
    let catWorld = try await method.invert(photo, model: world, tape: tape)
    #expect(conditional.residuals == catWorld.residuals && conditional.residuals != empty.residuals)
  }

  @Test("the attention mask covers the words of the concept, smoothed and enlarged")
  func attentionMask() {
    var map = HostTensor(shape: [3, 4, 5])
    map.values[(1 * 4 + 2) * 5 + 1] = 1  // the concept's first word looks at (1, 2)
    map.values[(0 * 4 + 0) * 5 + 4] = 9  // padding looks elsewhere and is not counted
    map.values[(2 * 4 + 3) * 5 + 0] = 9  // so does the begin mark
    let peak = ImplicitMask.attention(map, words: [1..<3], threshold: 1, height: 12, width: 16)
    for y in 0..<12 {
      for x in 0..<16 { #expect(peak[y, x] == (y / 4 == 1 && x / 4 == 2 ? 1 : 0)) }
    }
    // By reflection the border cells beside (1, 2) see it twice, with 2/e; the others with 4/e², 1/e or less.
    let cross = ImplicitMask.attention(map, words: [1..<3], threshold: 0.7, height: 3, width: 4)
    #expect(cross.values == [0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0])
    let all = ImplicitMask.attention(map, words: [1..<3], threshold: 0, height: 3, width: 4)
    #expect(all.values.allSatisfy { $0 == 1 })
    // Of two contexts, the words of both: here the last column is one of them.
    let second = ImplicitMask.attention(map, words: [1..<3, 4..<5], threshold: 1, height: 3, width: 4)
    #expect(second.values == [1] + [Float](repeating: 0, count: 11))
  }

  @Test("the noise mask covers the cells where all channels together change most")
  func magnitudeMask() {
    let psi = [1.0, -1, 0, 3, -2, -2, 0.5, 0]
    #expect(ImplicitMask.magnitude(psi, threshold: 1, height: 2, width: 2).values == [0, 0, 1, 0])
    #expect(ImplicitMask.magnitude(psi, threshold: 0.5, height: 2, width: 2).values == [0, 1, 1, 0])
    #expect(ImplicitMask.magnitude(psi, threshold: 0, height: 2, width: 2).values == [1, 1, 1, 1])
  }

  @Test(
    "intersect is attention alone at high noise and both below", arguments: LEDITSPlusPlus.MaskMode.allCases)
  func modes(mode: LEDITSPlusPlus.MaskMode) async throws {
    let (model, counter) = nonlinearWorld(attention: true)
    let concepts = [
      Concept(scale: 5, warmup: 0, threshold: 0.6), Concept(scale: 4, warmup: 2, cooldown: 5, threshold: 0.7),
    ]
    let method = method(concepts, mode: mode)
    let trace = Trace()
    let out = try await method.edit(
      photo, from: cat, concepts: [car, snow], model: model, tape: tape, observer: trace.observer)
    #expect(counter.evaluations == method.evaluations(hasSourcePrompt: true))
    #expect(trace.tensors("masks").count == 6 + 3)
    #expect(trace.tensors("masks").allSatisfy { $0.shape == [8, 12, 1] })
    #expect(trace.warnings == [] && trace.latents("traj").last == out)
    // An attention mask is made of 4×4 blocks; one with noise in it is not.
    func isBlocky(_ m: HostTensor) -> Bool {
      for i in 0..<96 {
        let (y, x) = (i / 12 / 4 * 4, i % 12 / 4 * 4)
        if m.values[i] != m.values[y * 12 + x] { return false }
      }
      return true
    }
    let first = trace.tensors("masks")[0]  // t = 601 of the grid 901 … 101
    switch mode {
    case .attention: #expect(trace.tensors("masks").allSatisfy(isBlocky))
    case .noise, .intersect: #expect(!isBlocky(first))
    }
    if mode == .intersect {
      var early = method
      (early.skip, early.concepts) = (0, [concepts[0]])  // starts at t = 853
      let trace = Trace()
      _ = try await early.edit(photo, concepts: [car], model: model, tape: tape, observer: trace.observer)
      #expect(isBlocky(trace.tensors("masks")[0]) && !isBlocky(trace.tensors("masks")[1]))
    }
  }

  @Test("a model without attention maps: noise instead with one warning, an error if attention was asked for")
  func noAttention() async throws {
    let (model, _) = nonlinearWorld()
    let concept = [Concept(scale: 5, warmup: 0, threshold: 0.6)]
    let trace = Trace()
    let fallback = try await method(concept, mode: .intersect).edit(
      photo, concepts: [car], model: model, tape: tape, observer: trace.observer)
    #expect(trace.warnings.count == 1)
    let noise = try await method(concept, mode: .noise).edit(photo, concepts: [car], model: model, tape: tape)
    #expect(fallback.isIdentical(to: noise))
    await #expect(throws: EditError.noAttentionMaps(method: "ledits++")) {
      _ = try await method(concept, mode: .attention).edit(photo, concepts: [car], model: model, tape: tape)
    }
  }

  @Test("a user's mask confines every concept: the prediction outside it is the unconditional one")
  func userMask() async throws {
    let (model, _) = nonlinearWorld()
    var one = method([Concept(scale: 5, warmup: 0, threshold: 0)])
    one.steps = 1
    let mask = boxMask(height: 8, width: 12)
    let inversion = try await one.invert(photo, model: model, tape: tape)
    let out = try await one.edit(inversion, concepts: [car], mask: mask, model: model)
    let reconstruction = try #require(inversion.states[0])
    #expect(out.isIdentical(to: reconstruction, outside: mask) && out != reconstruction)
  }

  @Test("refuses an inversion of another grid")
  func refusal() async throws {
    let (model, _) = nonlinearWorld()
    let inversion = try await method().invert(photo, model: model, tape: tape)
    var other = method()
    other.skip = 0.25
    await #expect(throws: EditError.self) { try await other.edit(inversion, concepts: [], model: model) }
  }
}
