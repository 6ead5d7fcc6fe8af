import Editing
import Tensors
import TestSupport
import Testing

@Suite("DDPM inversion of second order") struct SecondOrderInversionTests {
  let photo = latent(151)
  let tape = SeededTape(seed: 34)

  private func method(steps: Int = 6, zeroLast: Int = 0) -> DDPMInversion {
    var method = DDPMInversion()
    (method.solver, method.steps, method.skip, method.zeroLast) = (.dpm2, steps, 0.5, zeroLast)
    (method.sourceGuidance, method.targetGuidance) = (3.5, 3.5)
    return method
  }

  @Test(
    "returns the photo for the prompt it was inverted with, on every schedule", arguments: [1, 2, 6, 15],
    DDPMInversionTests.schedules.indices)
  func reconstruction(steps: Int, schedule: Int) async throws {
    let (model, _) = nonlinearWorld(schedule: DDPMInversionTests.schedules[schedule])
    for source in [cat, nil] {
      var edit = method(steps: steps)
      if source == nil { edit.targetGuidance = 0 }
      let out = try await edit.edit(photo, from: source, to: source ?? cat, model: model, tape: tape)
      // The states of the edit are those of the inversion bit for bit; the last residual and the sum are rounded
      // below 16.
      #expect(out.isClose(to: photo, within: (16 + 16) * halfUlp))
    }
  }

  @Test("a single step moves the photo by the difference of the two predictions") func oneStep() async throws
  {
    let (model, _) = nonlinearWorld()
    let method = method(steps: 1)
    let trace = Trace()
    let out = try await method.edit(
      photo, from: cat, to: tiger, model: model, tape: tape, observer: trace.observer)
    let grid = try model.schedule.dpmGrid(steps: 1, spacing: .leading)
    let start = trace.latents("start")[0]
    func denoised(_ prompt: Condition) async throws -> Latent {
      grid.denoised(0, start, try await model.guided(start, timestep: grid.timesteps[0], prompt, 3.5))
    }
    let (edited, source) = (try await denoised(tiger), try await denoised(cat))
    // The two predictions, δ and the sum are rounded below 32.
    #expect(out.isClose(to: photo + (edited - source), within: 6 * 32 * halfUlp))
    #expect(out.distance(to: photo) > 0.1)
  }

  @Test("inverts as LEDITS++ does, bit for bit") func sharedInversion() async throws {
    let (model, _) = nonlinearWorld()
    var other = LEDITSPlusPlus()
    (other.steps, other.skip, other.sourceGuidance) = (6, 0.5, 3.5)
    let mine = try await method().invert(photo, from: cat, model: model, tape: tape)
    let theirs = try await other.invert(photo, from: cat, model: model, tape: tape)
    #expect(mine.states == theirs.states && mine.residuals == theirs.residuals)
    #expect(mine.family != theirs.family)
  }

  @Test("without the last residual the result is the last prediction") func zeroLast() async throws {
    let (model, _) = nonlinearWorld()
    let inversion = try await method().invert(photo, from: cat, model: model, tape: tape)
    let official = try await method(zeroLast: 1).edit(inversion, to: cat, model: model)
    // The prediction, δ and the photo's last state are rounded below 16.
    #expect(official.isClose(to: photo - inversion.residuals[1]!, within: 3 * 16 * halfUlp))
    #expect(official.distance(to: photo) > 0.1)
  }

  @Test("an inversion serves the solver it was made with alone") func solvers() async throws {
    let (model, _) = nonlinearWorld()
    var first = DDPMInversion()
    (first.steps, first.skip) = (6, 0)
    let paper = try await first.invert(photo, from: cat, keepsEveryLevel: true, model: model, tape: tape)
    let second = try await method().invert(photo, from: cat, model: model, tape: tape)
    await #expect(throws: EditError.inversionMade(with: "solver", made: "ddpm", asked: "dpm2")) {
      try await method().edit(paper, to: tiger, model: model)
    }
    await #expect(throws: EditError.inversionMade(with: "solver", made: "dpm2", asked: "ddpm")) {
      var asked = first
      asked.skip = 0.5
      return try await asked.edit(second, to: tiger, model: model)
    }
    var other = method()
    other.skip = 0.4
    await #expect(throws: EditError.inversionMade(with: "skip", made: "0.5", asked: "0.4")) {
      try await other.edit(second, to: tiger, model: model)
    }
  }

  @Test("evaluations: 15 + 2·15, or 2·15 + 2·15 with a source prompt") func evaluations() async throws {
    let method = method(steps: 15)
    for (source, planned) in [(nil, 45), (cat, 60)] as [(Condition?, Int)] {
      let (model, counter) = nonlinearWorld()
      _ = try await method.edit(photo, from: source, to: tiger, model: model, tape: tape)
      #expect(counter.evaluations == planned)
      #expect(method.evaluations(hasSourcePrompt: source != nil) == planned)
    }
    #expect(method.evaluations(inversion: .given) == 30 && method.skippedLevels == 7)
    #expect(method.storageBytes(height: 64, width: 64) == 18 * 64 * 64 * 16)
    let grid = try NoiseSchedule.stableDiffusion.dpmGrid(steps: 22, spacing: .leading)
    #expect(grid.timesteps[7] == 646)
  }
}
