import Editing
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("A journal") struct JournalTests {
  let photo = latent(7, height: 8, width: 8)
  /// Those with something to save: what a single pass makes is there or not.
  static let methods = EditMethods.all.filter { !$0.about.needs.contains(.translator) }.names

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
    arguments: methods)
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

  /// A drag of two points by 3 levels in a low picture; around the first no square fits where it reaches the border.
  private func drag(
    _ sampler: Sampler, cells: Int, inSequence: Bool = false, _ journal: any EditJournal,
    _ warnings: (@Sendable (String) -> Void)? = nil
  ) async throws -> Latent {
    var method = Drag()
    (method.steps, method.radius, method.sampler) = (6, 2, sampler)
    var outline = EditOutline()
    (outline.hasPicture, outline.prompt, outline.dragsInSequence) = (true, "a tiger", inSequence)
    outline.moves = [
      .init(from: .init(x: 8, y: 0), to: .init(x: 8, y: 8)),
      .init(from: .init(x: 16, y: 0), to: .init(x: 16 + 8 * cells, y: 0)),
    ]
    var inputs = EditInputs(outline, height: 2, width: 16)
    (inputs.source, inputs.targetCondition) = (latent(9, height: 2, width: 16), tiger)
    let context = EditContext(
      diffusion: nonlinearWorld().0, tape: SeededTape(seed: 4), observer: EditObserver(warning: warnings),
      journal: journal)
    return try await method.resumableRun(inputs, in: context)
  }

  @Test(
    "lets a drag in several small ones go on and end with the bits and the warnings of an unbroken one",
    arguments: Sampler.allCases, [false, true])
  func drags(sampler: Sampler, inSequence: Bool) async throws {
    func run(_ journal: any EditJournal) async throws -> (Latent, [String]) {
      let warned = Mutex<[String]>([])
      let out = try await drag(sampler, cells: 4, inSequence: inSequence, journal) { sentence in
        warned.withLock { $0.append(sentence) }
      }
      return (out, warned.withLock { $0 })
    }
    let whole = try await run(NoJournal())
    #expect(!whole.1.isEmpty)
    let saves = try await BreakingJournal.atEverySave(of: run) { resumed in
      #expect(resumed.0.isIdentical(to: whole.0) && resumed.1 == whole.1)
    }
    #expect(saves >= (sampler == .ode ? 12 : 6))
  }

  @Test("has of a drag the latents of one small one, however many there are", arguments: Sampler.allCases)
  func dragSize(sampler: Sampler) async throws {
    for cells in [1, 4, 10] {
      let journal = BreakingJournal()
      _ = try await drag(sampler, cells: cells, journal)
      // Where the next one starts, and of the ODE the way up of the last.
      #expect(await journal.values == (sampler == .ode ? 4 : 1) * 2 * 16 * 4, "\(cells) cells")
      let broken = BreakingJournal(at: await journal.count - 1)
      await #expect(throws: BreakingJournal.Break.self) { try await drag(sampler, cells: cells, broken) }
      #expect(await broken.values == (sampler == .ode ? 5 : 2) * 2 * 16 * 4, "\(cells) cells")
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
