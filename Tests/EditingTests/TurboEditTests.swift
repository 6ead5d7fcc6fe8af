import Editing
import Tensors
import TestSupport
import Testing

@Suite("TurboEdit") struct TurboEditTests {
  let photo = latent(111)
  let tape = SeededTape(seed: 31)

  private func method(steps: Int = 4, guidance: Double = 1.5, maxNorm: Double? = 1e9) -> TurboEdit {
    var method = TurboEdit()
    (method.steps, method.guidance, method.maxNorm) = (steps, guidance, maxNorm)
    return method
  }

  @Test("noises the photo one step less than the network is told; three steps are the released code's")
  func grid() throws {
    let schedule = NoiseSchedule.stableDiffusion
    let four = try schedule.shiftedGrid(steps: 4)
    #expect(four.timesteps == [799, 599, 399, 199] && four.noiseTimesteps == [599, 399, 199, -1])
    let three = try schedule.shiftedGrid(steps: 3)
    #expect(three.timesteps == [799, 499, 199] && three.noiseTimesteps == [599, 299, 0])
    for steps in [2, 5, 8, 20] {
      let grid = try schedule.shiftedGrid(steps: steps)
      #expect(grid.steps == steps && grid.noiseTimesteps.filter { $0 > 0 }.count == steps - 1)
      #expect(grid.transition(from: 1).nextAlphaBar == 1)
      #expect(grid.transition(from: 2).nextAlphaBar == grid.transition(from: 1).alphaBar)
    }
    for steps in [1, 1000] {
      #expect(throws: EditError.self) { try schedule.shiftedGrid(steps: steps) }
    }
  }

  @Test(
    "returns the photo for its own prompt with every weight, and for any prompt with weight 0",
    arguments: DDPMInversionTests.schedules.indices, [2, 3, 4, 8])
  func reconstruction(schedule: Int, steps: Int) async throws {
    let (model, _) = nonlinearWorld(schedule: DDPMInversionTests.schedules[schedule])
    for (target, guidance) in [(cat, 1.5), (cat, 1), (cat, 4), (cat, 0), (tiger, 0)] {
      let out = try await method(steps: steps, guidance: guidance).edit(
        photo, from: cat, to: target, model: model, tape: tape)
      // The photo's states are computed with the edit's own step, so both agree bit for bit; what is left is the
      // rounding of the last residual and that of the sum, both below 16.
      #expect(out.isClose(to: photo, within: (16 + 16) * halfUlp))
    }
  }

  @Test("every seed reconstructs, and edits differently with another prompt") func seeds() async throws {
    let (model, _) = nonlinearWorld()
    var edits: [Latent] = []
    for seed in 1...2 as ClosedRange<UInt64> {
      edits.append(
        try await method().edit(photo, from: cat, to: tiger, model: model, tape: SeededTape(seed: seed)))
    }
    #expect(edits[0].distance(to: edits[1]) > 0.01 && edits[0].distance(to: photo) > 0.01)
  }

  @Test("the first step is linear in the weight") func linear() async throws {
    let (model, _) = nonlinearWorld()
    func first(_ guidance: Double) async throws -> Latent {
      let trace = Trace()
      _ = try await method(guidance: guidance).edit(
        photo, from: cat, to: tiger, model: model, tape: tape, observer: trace.observer)
      return trace.latents("traj")[0]
    }
    let (none, one, three) = (try await first(0), try await first(1), try await first(3))
    #expect(one.distance(to: none) > 0.01)
    // Three results and the combined prediction, rounded below 16; one difference is multiplied by 3.
    #expect((three - none).isClose(to: 3 * (one - none), within: 8 * 16 * halfUlp))
  }

  @Test("follows the photo's path by the difference of the two means where the weight is 1")
  func pathIdentity() async throws {
    let (model, _) = nonlinearWorld()
    let trace = Trace()
    _ = try await method(guidance: 1).edit(
      photo, from: cat, to: tiger, model: model, tape: tape, observer: trace.observer)
    let grid = try model.schedule.shiftedGrid(steps: 4)
    let (xs, traj) = (trace.latents("xs"), trace.latents("traj"))
    #expect(xs.count == 5 && xs[4].isIdentical(to: photo) && trace.latents("residuals").count == 4)
    var edited = xs[0]
    for i in 0..<4 {
      let step = grid.transition(from: 4 - i)
      let target = try await model.guided(edited, timestep: step.timestep, tiger, 1.0)
      let source = try await model.guided(xs[i], timestep: step.timestep, cat, 1.0)
      let next = step.pairedStep(edited, target, along: xs[i], source, to: xs[i + 1], eta: 1)
      edited = traj[i]
      // δ and the sums are rounded below 16, and so was the state that δ was found from.
      #expect(next.isClose(to: edited, within: 4 * 16 * halfUlp))
    }
  }

  @Test("limits the norm of the last residual, 15.5 for 64×64 cells") func clipping() async throws {
    let (model, _) = nonlinearWorld()
    for (given, norm) in [(1.25, 1.25), (nil, 15.5 * (Double(7 * 11) / 4096).squareRoot())]
      as [(Double?, Double)]
    {
      let trace = Trace()
      let out = try await method(maxNorm: given).edit(
        photo, from: cat, to: cat, model: model, tape: tape, observer: trace.observer)
      let last = trace.latents("residuals")[3]
      let length = last.values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      let factor = norm / length
      #expect(factor < 1, "nothing to limit")
      let clip = trace.tensors("clip").map { $0.values[0] }
      #expect(clip == [1, 1, 1, Float(factor)])
      // What is missing is the rest of the residual; two roundings below 16.
      let expected = Latent.combination([(1, photo), (factor - 1, last)])
      #expect(out.isClose(to: expected, within: 3 * 16 * halfUlp))
    }
  }

  @Test("asks three at once, at the start two, and nothing for the photo's path with a kept inversion")
  func evaluations() async throws {
    for (guidance, planned, given) in [(1.5, 11, 8), (1, 8, 4), (0, 7, 4)] {
      let (model, counter) = nonlinearWorld()
      let method = method(guidance: guidance)
      _ = try await method.edit(photo, from: cat, to: tiger, model: model, tape: tape)
      #expect(counter.evaluations == planned && method.evaluations == planned && counter.passes == 4)
      #expect(method.evaluations(inversion: .given) == given)
    }
    #expect(TurboEdit().evaluations == 11)
  }

  @Test("says so where the model does not look distilled, where eight steps are the default")
  func undistilled() async throws {
    for isDistilled in [false, true] {
      var outline = method().outline(hasSourcePrompt: true)
      outline.kind.isDistilled = isDistilled
      var inputs = EditInputs(outline, height: photo.height, width: photo.width)
      (inputs.source, inputs.sourceCondition, inputs.targetCondition) = (photo, cat, tiger)
      let trace = Trace()
      _ = try await method().run(
        inputs, in: EditContext(diffusion: nonlinearWorld().0, tape: tape, observer: trace.observer))
      #expect(trace.warnings.count == (isDistilled ? 0 : 1))
      let configured = try EditMethod.turboEdit().configured(for: outline)
      #expect((configured.method as? TurboEdit)?.steps == (isDistilled ? 4 : 8))
    }
  }
}
