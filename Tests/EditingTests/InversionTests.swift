import Editing
import Synchronization
import Tensors
import TestSupport
import Testing

/// Every method whose inversion can be kept, at few steps in the nonlinear world, where bits can be compared.
@Suite("A kept inversion") struct InversionTests {
  typealias Model = Diffusion

  /// An edit from "a cat" to a prompt: inverting, inverting and keeping, or with an inversion.
  struct Case: Sendable, CustomStringConvertible {
    var description: String
    var method: any InvertingMethod
    var evaluations: @Sendable (InversionUse) -> Int
    var edit: @Sendable (Latent, Condition, Inversion?, Model, EditObserver) async throws -> Latent
  }

  static let photo = latent(91, height: 8, width: 8)
  static let tape = SeededTape(seed: 23)

  static let cases: [Case] = {
    var ddpm = DDPMInversion()
    (ddpm.steps, ddpm.skippedSteps) = (10, 3)
    var ledits = LEDITS()
    (ledits.inversion, ledits.semantics.concepts) = (ddpm, [Concept(scale: 4, warmup: 1, threshold: 0.5)])
    var plus = LEDITSPlusPlus()
    (plus.steps, plus.skip, plus.mode) = (6, 0.5, .noise)
    plus.concepts = [Concept(scale: 4, warmup: 1, threshold: 0.5)]
    var ddim = DDIMTranslation()
    (ddim.steps, ddim.strength, ddim.sourceGuidance) = (10, 0.7, 2)
    var diffusion = CycleDiffusion()
    (diffusion.steps, diffusion.sourceGuidance) = (10, 2)
    var sde = CycleSDE()
    (sde.steps, sde.sourceGuidance, sde.targetGuidance) = (10, 2, 3)
    let diffEdits = Sampler.allCases.map { sampler in
      var method = DiffEdit()
      (method.steps, method.sampler, method.automaticMask.maps) = (10, sampler, 3)
      return method
    }
    var second = DDPMInversion()
    (second.solver, second.steps, second.skip) = (.dpm2, 6, 0.5)
    var turbo = TurboEdit()
    turbo.guidance = 2
    var negative = NegativePromptInversion()
    negative.steps = 10
    let tape = Self.tape
    return [
      Case(
        description: "ddpm-inversion", method: ddpm,
        evaluations: { [ddpm] in ddpm.evaluations(hasSourcePrompt: true, inversion: $0) },
        edit: { [ddpm] in
          try await ddpm.edit($0, from: cat, to: $1, given: $2, model: $3, tape: tape, observer: $4)
        }),
      Case(
        description: "ledits", method: ledits,
        evaluations: { [ledits] in
          ledits.evaluations(hasSourcePrompt: false, hasTargetPrompt: true, inversion: $0)
        },
        edit: { [ledits] in
          try await ledits.edit($0, to: $1, concepts: [cat], given: $2, model: $3, tape: tape, observer: $4)
        }),
      Case(
        description: "ledits++", method: plus,
        evaluations: { [plus] in plus.evaluations(hasSourcePrompt: true, inversion: $0) },
        edit: { [plus] in
          try await plus.edit($0, from: cat, concepts: [$1], given: $2, model: $3, tape: tape, observer: $4)
        }),
      Case(
        description: "ddim-inversion", method: ddim,
        evaluations: { [ddim] in ddim.evaluations(inversion: $0) },
        edit: { [ddim] in try await ddim.edit($0, from: cat, to: $1, given: $2, model: $3, observer: $4) }),
      Case(
        description: "cycle-diffusion", method: diffusion,
        evaluations: { [diffusion] in diffusion.evaluations(inversion: $0) },
        edit: { [diffusion] in
          try await diffusion.edit($0, from: cat, to: $1, given: $2, model: $3, tape: tape, observer: $4)
        }),
      Case(
        description: "cycle-sde", method: sde,
        evaluations: { [sde] in sde.evaluations(inversion: $0) },
        edit: { [sde] in
          try await sde.edit($0, from: cat, to: $1, given: $2, model: $3, tape: tape, observer: $4)
        }),
      Case(
        description: "ddpm-inversion dpm2", method: second,
        evaluations: { [second] in second.evaluations(hasSourcePrompt: true, inversion: $0) },
        edit: { [second] in
          try await second.edit($0, from: cat, to: $1, given: $2, model: $3, tape: tape, observer: $4)
        }),
      Case(
        description: "turbo-edit", method: turbo,
        evaluations: { [turbo] in turbo.evaluations(hasSourcePrompt: true, inversion: $0) },
        edit: { [turbo] in
          try await turbo.edit($0, from: cat, to: $1, given: $2, model: $3, tape: tape, observer: $4)
        }),
      Case(
        description: "npi", method: negative,
        evaluations: { [negative] in negative.evaluations(hasSourcePrompt: true, inversion: $0) },
        edit: { [negative] in
          try await negative.edit($0, from: cat, to: $1, given: $2, model: $3, observer: $4)
        }),
    ]
      + diffEdits.map { method in
        Case(
          description: "diffedit \(method.sampler)", method: method,
          evaluations: { method.evaluations(hasMask: false, inversion: $0) },
          edit: {
            var inversion = $2
            inversion?.mask = nil  // it was found for the first prompt
            return try await method.edit(
              $0, from: cat, to: $1, given: inversion, model: $3, tape: tape, observer: $4)
          })
      }
  }()

  /// An edit, the inversion that it kept if it was to, and its evaluations.
  static func run(
    _ edit: Case, to target: Condition, given: Inversion? = nil, keeps: Bool = false
  ) async throws -> (latent: Latent, kept: Inversion?, evaluations: Int) {
    let (model, counter) = nonlinearWorld()
    let kept = Box()
    let observer = keeps ? EditObserver(inversion: { kept.put($0) }) : .none
    let latent = try await edit.edit(photo, target, given, model, observer)
    return (latent, kept.value, counter.evaluations)
  }

  final class Box: Sendable {
    private let state = Mutex<Inversion?>(nil)
    var value: Inversion? { state.withLock { $0 } }
    func put(_ inversion: Inversion) { state.withLock { $0 = inversion } }
  }

  @Test("changes no bit: not while it is kept, not when it is used, not for another prompt", arguments: cases)
  func bits(edit: Case) async throws {
    let plain = try await Self.run(edit, to: tiger)
    let first = try await Self.run(edit, to: tiger, keeps: true)
    let inversion = try #require(first.kept)
    #expect(first.latent.isIdentical(to: plain.latent) && plain.kept == nil)

    let again = try await Self.run(edit, to: tiger, given: inversion)
    #expect(again.latent.isIdentical(to: plain.latent))

    let dog = Condition(text: "a dog on snow")
    let other = try await Self.run(edit, to: dog, given: inversion)
    let otherPlain = try await Self.run(edit, to: dog)
    #expect(other.latent.isIdentical(to: otherPlain.latent) && !other.latent.isIdentical(to: plain.latent))
  }

  @Test("costs what was planned, and the sampling alone when it is used", arguments: cases)
  func evaluations(edit: Case) async throws {
    let plain = try await Self.run(edit, to: tiger)
    let first = try await Self.run(edit, to: tiger, keeps: true)
    let again = try await Self.run(edit, to: tiger, given: first.kept)
    #expect(plain.evaluations == edit.evaluations(.discarded))
    #expect(first.evaluations == edit.evaluations(.kept))
    #expect(again.evaluations == edit.evaluations(.given) && again.evaluations < plain.evaluations)
  }

  @Test("holds no more than its method says", arguments: cases)
  func storage(edit: Case) async throws {
    let inversion = try #require(try await Self.run(edit, to: tiger, keeps: true).kept)
    let latent = 8 * 8 * 4 * 4
    let stored = edit.method.storageBytes(height: 8, width: 8, channels: 4, inversion: .kept)
    let masks = inversion.mask == nil ? 0 : 8 * 8 * 4
    #expect(inversion.byteCount - masks <= stored)
    // Beside it: the momentum of LEDITS and a cleared mask of channels, one latent of the solver, or DiffEdit's
    // samples, whichever are more.
    let samples = 4 * 3 * latent
    #expect(stored <= max(inversion.byteCount + 2 * latent, samples))
  }

  @Test("is refused for every parameter that shaped it, by name", arguments: cases)
  func parameters(edit: Case) async throws {
    let inversion = try #require(try await Self.run(edit, to: tiger, keeps: true).kept)
    #expect(!inversion.parameters.isEmpty)
    for (name, value) in inversion.parameters {
      var other = inversion
      other.parameters[name] = "another"
      await #expect {
        _ = try await Self.run(edit, to: tiger, given: other)
      } throws: { error in
        let text = "\(error)"
        return text.contains("made with \(name) another, \(value) is asked for: ") && error is EditError
      }
    }
  }

  @Test(
    "is refused by a method of another family, with tuned embeddings, and where it does not reach",
    arguments: cases)
  func refusals(edit: Case) async throws {
    let inversion = try #require(try await Self.run(edit, to: tiger, keeps: true).kept)
    var other = inversion
    other.family = "sdedit"
    await #expect { _ = try await Self.run(edit, to: tiger, given: other) } throws: {
      "\($0)".contains("made by sdedit, not for \(type(of: edit.method).about.name)")
    }
    other = inversion
    other.embeddings[3] = HostTensor(shape: [4, 8])
    await #expect { _ = try await Self.run(edit, to: tiger, given: other) } throws: {
      "\($0)".contains("tuned embeddings")
    }
    other = inversion
    other.states = inversion.states.filter { $0.key == 0 }
    await #expect { _ = try await Self.run(edit, to: tiger, given: other) } throws: {
      "\($0)".contains("reaches up to level 0")
    }
  }

  @Test("of ddpm-inversion serves ledits, and the other way round")
  func family() async throws {
    let concept = Case(
      description: "ledits", method: LEDITS(), evaluations: { _ in 0 },
      edit: { source, target, inversion, model, observer in
        var ledits = LEDITS()
        (ledits.inversion.steps, ledits.inversion.skippedSteps) = (10, 3)
        ledits.semantics.concepts = [Concept(scale: 4, warmup: 1, threshold: 0.5)]
        return try await ledits.edit(
          source, from: cat, to: target, concepts: [tiger], given: inversion, model: model, tape: Self.tape,
          observer: observer)
      })
    let ddpm = Self.cases[0]
    let (a, b) = (
      try await Self.run(ddpm, to: tiger, keeps: true), try await Self.run(concept, to: tiger, keeps: true)
    )
    #expect(a.kept == b.kept)
    #expect(try await Self.run(concept, to: tiger, given: a.kept).latent.isIdentical(to: b.latent))
    #expect(try await Self.run(ddpm, to: tiger, given: b.kept).latent.isIdentical(to: a.latent))
  }

  @Test("of DiffEdit keeps the mask that it found, and with it the next edit need not look")
  func mask() async throws {
    let found = Self.cases.last!
    let first = try await Self.run(found, to: tiger, keeps: true)
    let inversion = try #require(first.kept)
    #expect(inversion.mask != nil)
    var method = DiffEdit()
    (method.steps, method.sampler, method.automaticMask.maps) = (10, .sde, 3)
    let (model, counter) = nonlinearWorld()
    let again = try await method.edit(
      Self.photo, from: cat, to: tiger, given: inversion, model: model, tape: Self.tape)
    #expect(again.isIdentical(to: first.latent))
    #expect(counter.evaluations == method.evaluations(hasMask: true, inversion: .given))
  }
}
