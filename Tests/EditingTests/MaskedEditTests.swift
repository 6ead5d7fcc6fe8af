import Editing
import Tensors
import TestSupport
import Testing

@Suite("DiffEdit") struct DiffEditTests {
  let photo = latent(61)
  let tape = SeededTape(seed: 19)

  private func method(_ sampler: Sampler) -> DiffEdit {
    var method = DiffEdit()
    (method.steps, method.sampler) = (10, sampler)
    (method.automaticMask.steps, method.automaticMask.maps) = (10, 3)
    return method
  }

  @Test("keeps the photo outside the mask bit for bit", arguments: Sampler.allCases)
  func outside(sampler: Sampler) async throws {
    let (model, counter) = nonlinearWorld()
    let method = method(sampler)
    let out = try await method.edit(photo, from: cat, to: tiger, mask: boxMask(), model: model, tape: tape)
    #expect(out.isIdentical(to: photo, outside: boxMask()))
    #expect(out.distance(to: photo) > 0.01)
    #expect(counter.evaluations == method.evaluations(hasMask: true) && counter.evaluations == 28)
  }

  @Test("an empty mask returns the photo with a warning", arguments: Sampler.allCases)
  func emptyMask(sampler: Sampler) async throws {
    let (model, counter) = nonlinearWorld()
    let (empty, trace) = (Mask(height: 7, width: 11, repeating: 0), Trace())
    let traced = try await method(sampler).edit(
      photo, from: cat, to: tiger, mask: empty, model: model, tape: tape, observer: trace.observer)
    #expect(trace.warnings == ["The mask is empty: the edit may change nothing."])
    #expect(traced.isIdentical(to: photo) && trace.latents("traj").count == 7)
    let before = counter.evaluations
    let plain = try await method(sampler).edit(
      photo, from: cat, to: tiger, mask: empty, model: model, tape: tape)
    #expect(plain.isIdentical(to: photo) && counter.evaluations == before)
  }

  @Test("the reference blend leaves level 1 outside instead")
  func referenceBlend() async throws {
    let (model, _) = nonlinearWorld()
    var method = method(.ode)
    method.blendsReferenceLevel = true
    let trace = Trace()
    let out = try await method.edit(
      photo, from: cat, to: tiger, mask: boxMask(), model: model, tape: tape, observer: trace.observer)
    #expect(out.isIdentical(to: trace.latents("inverted")[1], outside: boxMask()))
  }

  @Test("the ODE points away from the source prompt unless told otherwise")
  func negative() async throws {
    let (model, _) = nonlinearWorld()
    var method = method(.ode)
    let a = try await method.edit(photo, from: cat, to: tiger, mask: boxMask(), model: model, tape: tape)
    method.usesSourceAsNegative = false
    let b = try await method.edit(photo, from: cat, to: tiger, mask: boxMask(), model: model, tape: tape)
    #expect(a.distance(to: b) > 0.001)
  }

  @Test("the SDE is Cycle-SDE inside the mask, with the empty prompt on both sides")
  func sde() async throws {
    let (model, _) = nonlinearWorld()
    let full = Mask(height: 7, width: 11)
    let method = method(.sde)
    let masked = try await method.edit(photo, from: cat, to: tiger, mask: full, model: model, tape: tape)
    var cycle = CycleSDE()
    (cycle.steps, cycle.strength) = (method.steps, method.strength)
    (cycle.sourceGuidance, cycle.targetGuidance) = (method.guidance, method.guidance)
    let plain = try await cycle.edit(photo, from: cat, to: tiger, model: model, tape: tape)
    #expect(masked.isIdentical(to: plain))
  }

  @Test("identical prompts find an empty mask")
  func samePrompts() async throws {
    let (model, _) = nonlinearWorld()
    let mask = try await DiffEditMask()(photo, from: cat, to: cat, model: model, tape: tape)
    #expect(mask.isEmpty)
  }

  /// Equal variances: D is |μ_tgt − μ_src|·s·a·w/D_t, so the mask is where the means differ by more than
  /// half of three times their mean difference.
  @Test("finds where two Gaussian worlds differ")
  func gaussianWorld() async throws {
    let box = boxMask()
    let source = Latent(height: 7, width: 11)
    let target = box * Latent(height: 7, width: 11, repeating: 1)
    let model = EditingTests.gaussianWorld(variance: 0.5, like: photo)
    let trace = Trace()
    let mask = try await DiffEditMask()(
      photo, from: Condition(mean: source), to: Condition(mean: target), model: model, tape: tape,
      observer: trace.observer)
    let b = model.schedule.alphaBar(481)
    let inside = Float(7.5 * ((1 - b) * b).squareRoot() / (b * 0.5 + 1 - b))
    for (d, m) in zip(trace.tensors("diff")[0].values, box.values) {
      // Two guided predictions, each of two rounded below 8 times weights below 8.
      #expect(abs(d - m * inside) <= 4 * 64 * halfUlp)
    }
    #expect(mask == box)  // 24 of 77 cells: 1.5 times the mean is 0.47 of the difference
    #expect(trace.tensors("diff")[0].shape == [7, 11] && trace.tensors("out")[0].shape == [7, 11, 1])
    #expect(DiffEditMask().evaluations == 40)
  }

  /// Predicts each prompt's own picture, whatever the latent.
  struct Recital: PointwisePredictor {
    func noise(_ query: NoiseQuery) -> Latent { Latent(query.condition.context) }
  }

  @Test("a difference of just 1.5 times the mean is outside the mask, more is inside", arguments: [2, 1])
  func strictlyGreater(rows: Int) async throws {
    // Ones in `rows` of three rows: their mean is rows/3, 1.5 times that is 1 or ½, exactly.
    var changed = Mask(height: 3, width: 8, repeating: 0)
    for y in 0..<rows { for x in 0..<8 { changed[y, x] = 1 } }
    let ones = Latent(height: 3, width: 8, repeating: 1)
    let model = Diffusion(unet: Recital(), schedule: .stableDiffusion, empty: cat)
    var finder = DiffEditMask()
    finder.guidance = 1
    let found = try await finder(
      ones, from: Condition(mean: Latent(height: 3, width: 8)), to: Condition(mean: changed * ones),
      model: model, tape: tape)
    if rows == 2 { #expect(found.isEmpty) } else { #expect(found == changed) }
  }

  @Test("without a mask it finds one first and goes on with the next draw")
  func automatic() async throws {
    let (model, counter) = nonlinearWorld()
    let (method, trace) = (method(.sde), Trace())
    let automatic = try await method.edit(
      photo, from: cat, to: tiger, model: model, tape: tape, observer: trace.observer)
    #expect(counter.evaluations == method.evaluations(hasMask: false))
    let found = try await method.automaticMask(photo, from: cat, to: tiger, model: model, tape: tape)
    #expect(trace.tensors("mask") == [found.tensor])
    let given = try await method.edit(
      photo, from: cat, to: tiger, mask: found, model: model, tape: tape.dropFirst(1))
    #expect(given.isIdentical(to: automatic))
    #expect(DiffEdit().evaluations(hasMask: true) == 140)
  }

  @Test("refuses a mask of another size or with impossible values")
  func refusals() async throws {
    let (model, _) = nonlinearWorld()
    await #expect(throws: EditError.maskSize(expected: [7, 11], found: [8, 11])) {
      _ = try await method(.sde).edit(
        photo, from: cat, to: tiger, mask: Mask(height: 8, width: 11), model: model, tape: tape)
    }
    await #expect(throws: EditError.maskValues) {
      let broken = Mask(height: 7, width: 11, repeating: .nan)
      _ = try await method(.sde).edit(photo, from: cat, to: tiger, mask: broken, model: model, tape: tape)
    }
  }
}

@Suite("Inpainting") struct InpaintingTests {
  let photo = latent(62)
  let tape = SeededTape(seed: 20)

  private func method(_ sampler: Sampler, _ order: Int) -> Inpainting {
    var method = Inpainting()
    (method.steps, method.sampler, method.order) = (6, sampler, order)
    return method
  }

  @Test("keeps the photo outside the mask bit for bit", arguments: Sampler.allCases, [1, 2])
  func outside(sampler: Sampler, order: Int) async throws {
    let (model, counter) = nonlinearWorld()
    let (method, trace) = (method(sampler, order), Trace())
    let out = try await method.edit(
      photo, to: tiger, mask: boxMask(), model: model, tape: tape, observer: trace.observer)
    #expect(out.isIdentical(to: photo, outside: boxMask()) && out.distance(to: photo) > 0.01)
    // After every step: the photo with the noise that the run started from.
    let grid = try model.schedule.dpmGrid(steps: 6, spacing: .linspace)
    let n = try tape.normal(0, like: photo)
    for (i, x) in trace.latents("traj").dropLast().enumerated() {
      let noised = Latent.combination([(grid.signal[i + 1], photo), (grid.noise[i + 1], n)])
      #expect(x.isIdentical(to: noised, outside: boxMask()))
    }
    #expect(counter.evaluations == method.evaluations && counter.evaluations == 12)
    #expect(Inpainting().evaluations == 100)
  }

  @Test("an empty mask returns the photo", arguments: Sampler.allCases)
  func emptyMask(sampler: Sampler) async throws {
    let (model, _) = nonlinearWorld()
    let empty = Mask(height: 7, width: 11, repeating: 0.49)
    var method = method(sampler, 2)
    method.softMask = false
    for trace in [nil, Trace()] {
      let out = try await method.edit(
        photo, to: tiger, mask: empty, model: model, tape: tape, observer: trace?.observer ?? .none)
      #expect(out.isIdentical(to: photo))
      // What is said is what happened: the mask is not empty, and of pixels nothing is promised.
      if let trace {
        #expect(
          trace.warnings == ["No part of the mask is at least half white: the edit may change nothing."])
      }
    }
  }

  @Test("a full mask is sampling from the noise alone", arguments: Sampler.allCases, [1, 2])
  func fullMask(sampler: Sampler, order: Int) async throws {
    let (model, _) = nonlinearWorld()
    let full = Mask(height: 7, width: 11)
    let method = method(sampler, order)
    let a = try await method.edit(photo, to: tiger, mask: full, model: model, tape: tape)
    let b = try await method.edit(latent(99), to: tiger, mask: full, model: model, tape: tape)
    #expect(a.isIdentical(to: b))
  }

  @Test("draws 1 noise, or with the SDE one per step, as the last step has none", arguments: Sampler.allCases)
  func draws(sampler: Sampler) async throws {
    let (model, _) = nonlinearWorld()
    let recorded = RecordedTape(
      (0..<(sampler == .sde ? 6 : 1)).map { .normal(Latent.stacked([latent(UInt64($0))])) })
    _ = try await method(sampler, 2).edit(photo, to: tiger, mask: boxMask(), model: model, tape: recorded)
    #expect(recorded.unused == [])
  }

  @Test("a smaller strength starts from the noised photo and runs the last steps only")
  func strength() async throws {
    let (model, counter) = nonlinearWorld()
    var method = method(.ode, 1)
    method.strength = 0.5
    let trace = Trace()
    _ = try await method.edit(
      photo, to: tiger, mask: boxMask(), model: model, tape: tape, observer: trace.observer)
    #expect(counter.evaluations == 6 && trace.latents("traj").count == 3)
    method.strength = 0.1
    #expect(throws: EditError.self) { try method.validate(on: model.schedule) }
  }

  @Test(
    "in a world of one picture the mask shows it and the rest stays", arguments: Sampler.allCases, [1, 2])
  func pointMass(sampler: Sampler, order: Int) async throws {
    let picture = latent(1)
    var method = method(sampler, order)
    method.guidance = 1
    let out = try await method.edit(
      photo, to: Condition(mean: picture), mask: boxMask(), model: gaussianWorld(variance: 0, like: photo),
      tape: tape)
    // The last step is the prediction m = (x − s·ε)/a at t = 166 with x, ε rounded below 8 and a > 0.8.
    #expect(out.isClose(to: boxMask().blend(inside: picture, outside: photo), within: 4 * 8 * halfUlp))
  }
}

@Suite("Masks that say how much") struct ChangeMapTests {
  let photo = latent(63)
  let tape = SeededTape(seed: 21)

  /// Steps 2…10 of ten are run.
  private func sdedit(_ sampler: PictureSampler, strength: Double = 0.8) -> SDEdit {
    var method = SDEdit()
    (method.steps, method.strength, method.sampler) = (10, strength, sampler)
    return method
  }

  @Test(
    "a grey all over is sdedit of that part of the strength",
    arguments: [(1, 8), (0.76, 6), (0.5, 4), (0.13, 1)])
  func grey(value: Double, steps: Int) async throws {
    let (model, _) = nonlinearWorld()
    let mask = Mask(height: 7, width: 11, repeating: Float(value))
    let masked = try await sdedit(.ode).edit(photo, to: tiger, mask: mask, model: model, tape: tape)
    let weaker = try await sdedit(.ode, strength: Double(steps) / 10).edit(
      photo, to: tiger, model: model, tape: tape)
    #expect(masked.isIdentical(to: weaker))
  }

  @Test("a grey all over is inpainting of that strength", arguments: [(0.67, 4), (0.34, 2)])
  func greyInpainting(value: Double, steps: Int) async throws {
    let (model, _) = nonlinearWorld()
    var method = Inpainting()
    (method.steps, method.sampler, method.order) = (6, .ode, 1)
    let mask = Mask(height: 7, width: 11, repeating: Float(value))
    let masked = try await method.edit(photo, to: tiger, mask: mask, model: model, tape: tape)
    method.strength = Double(steps) / 6
    let white = Mask(height: 7, width: 11)
    let weaker = try await method.edit(photo, to: tiger, mask: white, model: model, tape: tape)
    #expect(masked.isIdentical(to: weaker))
  }

  @Test("black is the photo bit for bit, white is as if there were no mask", arguments: PictureSampler.allCases)
  func ends(sampler: PictureSampler) async throws {
    let (model, _) = nonlinearWorld()
    let box = boxMask()
    let masked = try await sdedit(sampler).edit(photo, to: tiger, mask: box, model: model, tape: tape)
    #expect(masked.isIdentical(to: photo, outside: box) && masked.distance(to: photo) > 0.01)
    let (white, black) = (Mask(height: 7, width: 11), Mask(height: 7, width: 11, repeating: 0))
    let whole = try await sdedit(sampler).edit(photo, to: tiger, mask: white, model: model, tape: tape)
    #expect(whole.isIdentical(to: try await sdedit(sampler).edit(photo, to: tiger, model: model, tape: tape)))
    let trace = Trace()
    let none = try await sdedit(sampler).edit(
      photo, to: tiger, mask: black, model: model, tape: tape, observer: trace.observer)
    #expect(none.isIdentical(to: photo))
    #expect(trace.warnings == ["The mask is empty: the edit may change nothing."])
  }

  @Test("the brighter a place, the earlier it leaves the photo")
  func order() async throws {
    let (model, _) = nonlinearWorld()
    var ramp = Mask(height: 7, width: 11)
    for y in 0..<7 { for x in 0..<11 { ramp[y, x] = Float(x) / 10 } }
    let trace = Trace()
    _ = try await sdedit(.ode).edit(
      photo, to: tiger, mask: ramp, model: model, tape: tape, observer: trace.observer)
    let grid = try model.schedule.samplingGrid(steps: 10)
    let n = try tape.normal(0, like: photo)
    // After step i, level 7 − i, columns with ⌊8·x/10⌋ < 8 − i are the photo's.
    for (i, x) in trace.latents("traj").dropFirst().enumerated() {
      let level = 7 - i
      let noised = level == 0 ? photo : model.schedule.diffuse(photo, to: grid.timestep(level), n)
      let free = Mask(
        height: 7, width: 11, values: (0..<77).map { 8 * ($0 % 11) / 10 >= 8 - i ? 1 : 0 })
      #expect(x.isIdentical(to: noised, outside: free), "step \(i)")
    }
  }
}
