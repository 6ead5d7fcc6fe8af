import Editing
import Tensors
import TestSupport
import Testing

@Suite("Negative-prompt inversion") struct NegativePromptTests {
  let photo = latent(131)

  private func method(
    _ proximity: Proximity = .none, guidance: Double = 9, quantile: Double = 0.75, pull: Double = 0,
    pullsBelow: Int = 1000
  ) -> NegativePromptInversion {
    var method = NegativePromptInversion()
    (method.steps, method.guidance, method.proximity) = (6, guidance, proximity)
    (method.quantile, method.pull, method.pullsBelow) = (quantile, pull, pullsBelow)
    return method
  }
  private var translation: DDIMTranslation {
    var method = DDIMTranslation()
    (method.steps, method.sourceGuidance, method.targetGuidance) = (6, 1, 1)
    return method
  }

  @Test("with the photo's prompt it is plain DDIM reconstruction whatever the weight, bit for bit")
  func samePrompt() async throws {
    for schedule in DDPMInversionTests.schedules {
      let (model, _) = nonlinearWorld(schedule: schedule)
      let plain = try await translation.edit(photo, from: cat, to: cat, model: model)
      for proximity in Proximity.allCases {
        let out = try await method(proximity).edit(photo, from: cat, to: cat, model: model)
        #expect(out.isIdentical(to: plain))
      }
    }
  }

  @Test(
    "pulled back all the way in every step it returns the photo, bit for bit",
    arguments: [Proximity.soft, .hard])
  func pulledBack(proximity: Proximity) async throws {
    for schedule in DDPMInversionTests.schedules {
      let (model, _) = nonlinearWorld(schedule: schedule)
      let out = try await method(proximity, pull: 1).edit(photo, from: cat, to: cat, model: model)
      #expect(out.isIdentical(to: photo))
    }
  }

  @Test("without proximity and with weight 1 it is DDIM inversion") func unguided() async throws {
    let (model, _) = nonlinearWorld()
    let plain = try await translation.edit(photo, from: cat, to: tiger, model: model)
    let out = try await method(guidance: 1).edit(photo, from: cat, to: tiger, model: model)
    #expect(out.isIdentical(to: plain) && out.distance(to: photo) > 0.01)
  }

  @Test("a quantile below one half shrinks nothing, and one of 1 leaves nothing over")
  func quantiles() async throws {
    let (model, _) = nonlinearWorld()
    let whole = try await method().edit(photo, from: cat, to: tiger, model: model)
    let source = try await method().edit(photo, from: cat, to: cat, model: model)
    for proximity in [Proximity.soft, .hard] {
      let out = try await method(proximity, quantile: 0.49).edit(photo, from: cat, to: tiger, model: model)
      #expect(out.isIdentical(to: whole))
      let none = try await method(proximity, quantile: 1).edit(photo, from: cat, to: tiger, model: model)
      #expect(none.isIdentical(to: source))
    }
  }

  @Test("the threshold is a quantile of the magnitudes and as many zeros") func threshold() {
    // 0 0 0 0 1 2 3 4, position 0.75·7 = 5.25.
    let d: [Double] = [1, -2, 3, -4]
    let soft = Proximity.soft.shrunk(d, quantile: 0.75)
    #expect(soft.difference == [0, 0, 0.75, -1.75] && soft.isLarge == [false, false, false, false])
    let hard = Proximity.hard.shrunk(d, quantile: 0.75)
    #expect(hard.difference == [0, 0, 3, -4] && hard.isLarge == [false, false, true, true])
    #expect(Proximity.hard.shrunk(d, quantile: 0.2).difference == d)
  }

  @Test("a mark grows to the cells around it, in its own channel") func dilation() {
    var marks = [Bool](repeating: false, count: photo.values.count)
    marks[(0 * photo.width + 4) * 4 + 2] = true
    let near = photo.dilated(marks, by: 1)
    #expect(near.values.reduce(0, +) == 6)
    for y in 0...1 { for x in 3...5 { #expect(near[y, x, 2] == 1) } }
    #expect(photo.dilated(marks, by: 0).values.reduce(0, +) == 1)
  }

  @Test("pulls back below its timestep only, where the prompts agree") func mask() async throws {
    let (model, _) = nonlinearWorld()
    let trace = Trace()
    var method = method(.hard, guidance: 3, pull: 1, pullsBelow: 400)
    method.dilation = 0
    _ = try await method.edit(photo, from: cat, to: tiger, model: model, observer: trace.observer)
    // Six steps: 831, 665, 499, 333, 167, 1.
    let (masks, traj, path) = (trace.latents("masks"), trace.latents("traj"), trace.latents("inverted"))
    #expect(masks.count == 3 && traj.count == 6)
    for (i, mask) in masks.enumerated() {
      let (x, y) = (traj[3 + i], path[2 - i])
      #expect(x.values.indices.allSatisfy { mask.values[$0] == 1 || x.values[$0] == y.values[$0] })
      #expect(mask.values.contains(1) && mask.values.contains(0))
    }
  }

  @Test("uses DDIM inversion's path, if that is unguided") func sharedInversion() async throws {
    let (model, counter) = nonlinearWorld()
    let box = InversionTests.Box()
    var maker = translation
    _ = try await maker.edit(
      photo, from: cat, to: tiger, model: model, observer: EditObserver(inversion: { box.put($0) }))
    let kept = try #require(box.value)
    let before = counter.evaluations
    let out = try await method(.soft).edit(nil, from: cat, to: tiger, given: kept, model: model)
    #expect(counter.evaluations == before + 12)
    #expect(out.isIdentical(to: try await method(.soft).edit(photo, from: cat, to: tiger, model: model)))

    maker.sourceGuidance = 2
    _ = try await maker.edit(
      photo, from: cat, to: tiger, model: model, observer: EditObserver(inversion: { box.put($0) }))
    let guided = try #require(box.value)
    await #expect(throws: EditError.inversionMade(with: "source-cfg-scale", made: "2.0", asked: "1.0")) {
      try await method(.soft).edit(nil, from: cat, to: tiger, given: guided, model: model)
    }
  }

  @Test("evaluations of the defaults: 50 + 2·50") func evaluations() async throws {
    let (model, counter) = nonlinearWorld()
    let method = NegativePromptInversion()
    _ = try await method.edit(photo, from: cat, to: tiger, model: model)
    #expect(counter.evaluations == 150 && method.evaluations == 150)
    #expect(method.evaluations(inversion: .given) == 100)
    #expect(method.storageBytes(height: 64, width: 64) == 51 * 64 * 64 * 16)
  }

  @Test("refuses a dilation wider than the latent") func refusals() async throws {
    let (model, counter) = nonlinearWorld()
    var method = method(.soft, pull: 1)
    method.dilation = 11
    await #expect(throws: EditError.self) {
      try await method.edit(photo, from: cat, to: tiger, model: model)
    }
    #expect(counter.evaluations == 0)
  }
}
