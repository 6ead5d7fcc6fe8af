import Editing
import Tensors
import TestSupport
import Testing

@Suite("A journal") struct JournalTests {
  let photo = latent(7, height: 8, width: 8)

  /// An edit by every method of the list, with few steps.
  private func edit(
    _ type: any EditingMethod.Type, _ model: Diffusion, _ journal: any EditJournal
  ) async throws -> Latent {
    var settings: MethodSettings = ["steps": .number(6)]
    if type.options.contains("inner-steps") { settings["inner-steps"] = .number(2) }
    if type.options.contains("mask-maps") { settings["mask-maps"] = .number(2) }
    if type.options.contains("mask-mode") { settings["mask-mode"] = .word("intersect") }
    var outline = EditOutline()
    (outline.hasPicture, outline.prompt, outline.sourcePrompt) = (true, "a tiger", "a cat")
    if type.about.needs.contains(.concepts) { outline.concepts = [ConceptRequest("snow")] }
    if type.about.needs.contains(.points) {
      outline.moves = [.init(from: .init(x: 20, y: 30), to: .init(x: 40, y: 30))]
    }
    var inputs = EditInputs(outline, height: photo.height, width: photo.width)
    (inputs.source, inputs.sourceCondition, inputs.targetCondition) = (photo, cat, tiger)
    inputs.conceptConditions = outline.concepts.map { Condition(text: $0.text) }
    if type.about.needs.contains(.mask) { inputs.mask = boxMask(height: 8, width: 8) }
    let method = try EditMethod(type).configured(for: outline, model: settings).method
    var context = EditContext(diffusion: model, tape: SeededTape(seed: 30), journal: journal)
    context.derivative = model.unet as? any NoiseDerivative
    return try await method.resumableRun(inputs, in: context)
  }

  @Test(
    "lets every method that is broken at any of its saves go on and end with the bits of an unbroken run",
    // What a single pass makes is there or not.
    arguments: EditMethods.all.filter { !$0.about.needs.contains(.translator) }.names)
  func resumes(name: String) async throws {
    let type = EditMethods.all.named(name)!
    let (model, _) = nonlinearWorld(attention: true)
    let whole = try await edit(type, model, NoJournal())
    #expect(!whole.isIdentical(to: photo))
    let saves = try await BreakingJournal.atEverySave { journal in
      try await edit(type, model, journal)
    } check: { resumed in
      #expect(resumed.isIdentical(to: whole))
    }
    #expect(saves >= 3)
  }

  @Test("saves what it says: a run that goes on asks the network for nothing that is there")
  func saving() async throws {
    for name in ["sdedit", "ledits++", "dds"] {
      let type = EditMethods.all.named(name)!
      let (model, counter) = nonlinearWorld(attention: true)
      let unbroken = BreakingJournal()
      _ = try await edit(type, model, unbroken)
      let all = counter.evaluations
      let journal = await BreakingJournal(at: unbroken.count)
      await #expect(throws: BreakingJournal.Break.self) { try await edit(type, model, journal) }
      #expect(counter.evaluations == 2 * all)
      _ = try await edit(type, model, journal)
      #expect(counter.evaluations == 2 * all, "\(name)")
    }
  }

  @Test("of another run is refused by name, where its answers are to other questions")
  func otherRun() async throws {
    let (model, _) = nonlinearWorld()
    let journal = BreakingJournal()
    func edit(steps: Int, _ photo: Latent) async throws {
      var method = SDEdit()
      method.steps = steps
      _ = try await method.edit(photo, to: tiger, model: model, tape: SeededTape(seed: 1), journal: journal)
    }
    try await edit(steps: 6, photo)
    try await edit(steps: 6, photo)
    await #expect(throws: EditError.otherProgress(method: "sdedit")) { try await edit(steps: 8, photo) }
    await #expect(throws: EditError.otherProgress(method: "sdedit")) {
      try await edit(steps: 6, latent(3, height: 8, width: 16))
    }
  }
}
