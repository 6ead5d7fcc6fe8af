import Editing
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("Settings") struct SettingTests {
  /// A method with what somebody gave it.
  private func configured(
    _ method: EditMethod, _ outline: EditOutline = EditOutline(), inversion: MethodSettings = [:],
    model: MethodSettings = [:]
  ) throws -> EditMethod.Configured {
    try method.configured(for: outline, inversion: inversion, model: model)
  }

  @Test(
    "the caller's come before an inversion's, these before the model's, and what nobody sets is the paper's")
  func layers() throws {
    let result = try configured(
      .cycleSDE(guidance: 4), inversion: ["steps": .number(20), "cfg-scale": .number(5)],
      model: ["cfg-scale": .number(2), "strength": .number(0.8), "steps": .number(9)])
    let method = try #require(result.method as? CycleSDE)
    #expect((method.targetGuidance, method.steps, method.strength) == (4, 20, 0.8))
    #expect(method.sourceGuidance == CycleSDE().sourceGuidance)
    #expect(result.sources == ["cfg-scale": .caller, "steps": .inversion, "strength": .model])
  }

  @Test("typed factories set what the option of that value sets, in every method")
  func factories() throws {
    let all: [(EditMethod, MethodSettings)] = [
      (
        .ddpmInversion(
          solver: .ddpm, steps: 9, skip: 0.5, sourceGuidance: 2, guidance: 3, eta: 0.5, zeroLast: 1),
        [
          "solver": .word("ddpm"), "steps": .number(9), "skip": .number(0.5), "source-cfg-scale": .number(2),
          "cfg-scale": .number(3),
          "eta": .number(0.5), "zero-last": .number(1),
        ]
      ),
      (
        .ledits(skip: 0.5, momentumBeta: 0.1, conceptCooldown: 4),
        ["skip": .number(0.5), "momentum-beta": .number(0.1), "concept-cooldown": .number(4)]
      ),
      (
        .leditsPlusPlus(maskMode: .noise, conceptThreshold: 0.5),
        ["mask-mode": .word("noise"), "concept-threshold": .number(0.5)]
      ),
      (
        .turboEdit(steps: 3, guidance: 2, maxNorm: 4),
        [
          "steps": .number(3), "cfg-scale": .number(2), "max-norm": .number(4),
        ]
      ),
      (.infEdit(strength: 0.5, start: .latent), ["strength": .number(0.5), "start": .word("latent")]),
      (.deltaDenoisingScore(steps: 3, lossScale: 7), ["steps": .number(3), "loss-scale": .number(7)]),
      (.posteriorDistillation(guidance: 20), ["cfg-scale": .number(20)]),
      (.scoreDistillation(learningRate: 0.2), ["learning-rate": .number(0.2)]),
      (.sdedit(sampler: .ode), ["sampler": .word("ode")]),
      (.ddimInversion(guidance: 1), ["cfg-scale": .number(1)]),
      (
        .negativePromptInversion(proximity: .hard, pullsBelow: 200),
        ["prox": .word("hard"), "recon-t": .number(200)]
      ),
      (.cycleDiffusion(eta: 1), ["eta": .number(1)]),
      (.cycleSDE(strength: 0.5), ["strength": .number(0.5)]),
      (
        .diffEdit(sampler: .ode, sourceGuidance: 1, sourceAsNegative: false, maskRatio: 2),
        [
          "sampler": .word("ode"), "source-cfg-scale": .number(1), "source-as-negative": .flag(false),
          "mask-ratio": .number(2),
        ]
      ),
      (.inpaint(order: 1), ["order": .number(1)]),
      (.drag(radius: 3, minAdapterScale: 0.2), ["radius": .number(3), "lora-min": .number(0.2)]),
      (
        .promptTuningInversion(
          preset: "quick", interpolation: 0.5, innerSteps: 2, weightDecay: 0.1, loss: .mean, path: .source,
          initial: .empty),
        [
          "preset": .word("quick"), "interpolation": .number(0.5), "inner-steps": .number(2),
          "weight-decay": .number(0.1), "loss": .word("mean"), "inversion-path": .word("source"),
          "initial-embedding": .word("empty"),
        ]
      ),
      (
        .nullText(innerSteps: 3, learningRate: 0.1, stop: 1),
        ["inner-steps": .number(3), "learning-rate": .number(0.1), "early-stop": .number(1)]
      ),
      (.translate(), [:]),
      (.generate(steps: 3), ["steps": .number(3)]),
      (.sega(conceptScale: 3), ["concept-scale": .number(3)]),
    ]
    #expect(all.map(\.0.name) == EditMethods.all.names.filter { name in all.contains { $0.0.name == name } })
    #expect(all.count == EditMethods.all.count)
    var outline = EditOutline()
    (outline.prompt, outline.sourcePrompt) = ("a tiger", "a cat")
    for (method, settings) in all {
      #expect(method.settings == settings, "\(method.name)")
      _ = try configured(method, outline)
    }
  }

  @Test("every option reaches the value that its row reads, in every method")
  func rows() throws {
    for type in EditMethods.all {
      for row in type.rows where row.isOption {
        let (value, text): (SettingValue, String) =
          switch row.kind {
          case .flag: (.flag(row.standard == .flag(false)), "\(row.standard == .flag(false))")
          case .word(let words): (.word(words.last!), words.last!)
          case .number: (.number(0.875), "0.875")
          case .wholeNumber: (.number(2), "2")
          }
        // Every row but this one keeps its default.
        let made = try EditMethod(type).configured(model: [row.option: value]).method
        func texts(_ method: some EditingMethod) -> [String: String] {
          Dictionary(
            uniqueKeysWithValues: Swift.type(of: method).parameters.map {
              ($0.option, $0.value(in: method).text)
            })
        }
        var expected = texts(try EditMethod(type).configured().method)
        expected[row.option] = text
        // These decide defaults of others.
        if ["solver", "sampler"].contains(row.option) || (type == InfEdit.self && row.option == "cfg-scale") {
          expected = expected.filter { $0.key == row.option }
        }
        #expect(
          texts(made).filter { expected[$0.key] != nil } == expected, "\(type.about.name) \(row.option)")
      }
    }
  }

  /// Steps that a model says for one solver are none for another.
  @Test("what a model says of a choice's values holds for its own choice")
  func dependentValues() throws {
    func ddpm(_ caller: EditMethod, model: MethodSettings) throws -> DDPMInversion {
      try #require(configured(caller, model: model).method as? DDPMInversion)
    }
    let model: MethodSettings = ["steps": .number(40), "skip": .number(0.2), "cfg-scale": .number(3)]
    let plain = try ddpm(.ddpmInversion(), model: model)
    #expect(plain.steps == 40 && plain.skip == 0.2 && plain.targetGuidance == 3)
    let second = try ddpm(.ddpmInversion(solver: .dpm2), model: model)
    #expect(second.steps == 15 && second.skip == 0.5 && second.targetGuidance == 3)
    let own = try ddpm(.ddpmInversion(solver: .dpm2, steps: 8), model: model)
    #expect(own.steps == 8 && own.skip == 0.5)
    let solver: MethodSettings = ["solver": .word("dpm2"), "steps": .number(12)]
    let other = try ddpm(.ddpmInversion(solver: .ddpm), model: solver)
    #expect(other.steps == 100 && other.skip == 0.36 && other.targetGuidance == 15)
    let models = try ddpm(.ddpmInversion(), model: solver)
    #expect(models.solver == .dpm2 && models.steps == 12 && models.skip == 0.5)
    #expect(models.targetGuidance == 7.5)
  }

  @Test("a shorthand is the value that it stands for, and contradicts another one")
  func shorthand() throws {
    let official = EditMethod(DDPMInversion.self, settings: ["official-last-step": .flag(true)])
    let result = try configured(official, model: ["zero-last": .number(0)])
    #expect((result.method as? DDPMInversion)?.zeroLast == 1 && result.sources == ["zero-last": .caller])
    let model = try configured(.ledits(zeroLast: 0), model: ["official-last-step": .flag(true)])
    #expect((model.method as? LEDITS)?.inversion.zeroLast == 0)
    #expect(throws: SettingError.contradicts(setting: "official-last-step", other: "zero-last")) {
      try configured(
        EditMethod(
          DDPMInversion.self, settings: ["official-last-step": .flag(true), "zero-last": .number(2)]))
    }
  }

  @Test("a preset's values come after what is given beside it, and before what the next layer says")
  func presets() throws {
    func pti(_ caller: MethodSettings, model: MethodSettings = [:]) throws -> PromptTuningInversion {
      let method = EditMethod(PromptTuningInversion.self, settings: caller)
      return try #require(configured(method, model: model).method as? PromptTuningInversion)
    }
    let quick = try pti(["preset": .word("quick")], model: ["cfg-scale": .number(3), "steps": .number(20)])
    #expect(quick.innerSteps == 1 && quick.learningRate == 1e-3 && quick.weightDecay == 1e-2)
    #expect(quick.loss == .sum && quick.guidance == 5 && quick.interpolation == 0.9)
    #expect(quick.steps == 20 && quick.path == .unconditional && quick.initial == .target)
    let other = try pti(["preset": .word("quick"), "cfg-scale": .number(2)])
    #expect(other.guidance == 2 && other.innerSteps == 1)
    let source = try pti([:], model: ["preset": .word("source"), "interpolation": .number(0.5)])
    #expect(source.path == .source && source.initial == .source && source.interpolation == 0.5)
    let paper = try pti(["preset": .word("paper")], model: ["preset": .word("quick")])
    #expect(paper.innerSteps == 10 && paper.guidance == 7.5)
    // A preset's value is not the caller's to have no use for.
    #expect(try pti(["preset": .word("quick"), "inner-steps": .number(0)]).innerSteps == 0)
    #expect(
      throws: SettingError.value(
        setting: "preset", value: "\"slow\"", allowed: "paper or source or quick")
    ) { try pti(["preset": .word("slow")]) }
    #expect(
      throws: SettingError.notUsed(
        setting: "preset", method: "sdedit",
        takes: ["cfg-scale", "embed-guidance", "sampler", "steps", "strength"])
    ) { try configured(EditMethod(SDEdit.self, settings: ["preset": .word("quick")])) }
    #expect(PromptTuningInversion.explanation(model: nil).contains("--preset quick"))
  }

  @Test("what is of the wrong kind, not the method's, or idle is refused by name")
  func refusals() throws {
    func sentence(_ method: EditMethod, _ outline: EditOutline = EditOutline()) throws -> String {
      "\(try #require(failure(SettingError.self) { try configured(method, outline) }))"
    }
    func given(_ type: any EditingMethod.Type, _ option: String, _ value: SettingValue) -> EditMethod {
      EditMethod(type, settings: [option: value])
    }
    #expect(
      try sentence(given(SDEdit.self, "steps", .number(2.5))) == "steps cannot be 2.5: give a whole number")
    #expect(
      try sentence(given(SDEdit.self, "sampler", .word("euler")))
        == "sampler cannot be \"euler\": give ode or sde or lcm")
    #expect(
      try sentence(given(DiffEdit.self, "reference-blend", .number(1)))
        == "reference-blend cannot be 1.0: give true or false")
    #expect(
      try sentence(given(SDEdit.self, "eta", .number(1)))
        == "sdedit has no use for the setting eta: it takes cfg-scale, embed-guidance, sampler, steps, strength"
    )
    #expect(
      try sentence(.ddpmInversion(sourceGuidance: 2)).hasPrefix(
        "ddpm-inversion has no use for the setting source-cfg-scale without a source prompt"))
    var masked = EditOutline()
    masked.hasMask = true
    #expect(
      try sentence(.diffEdit(maskRatio: 2), masked).contains(
        "the setting mask-ratio with a mask that is given"))
    // What others than the caller set may be idle.
    _ = try configured(.ddpmInversion(), model: ["source-cfg-scale": .number(1), "radius": .number(3)])
    // A fixed value is nobody's to set.
    #expect(try sentence(given(DeltaDenoisingScore.self, "last-timestep", .number(9))).contains("no use for"))
  }

  @Test("an explanation has every option with the paper's default and the model's")
  func explanation() throws {
    let text = DDPMInversion.explanation(model: ["cfg-scale": .number(3), "steps": .number(20)])
    func row(_ option: String) throws -> [Substring] {
      let lines = text.split(separator: "\n")
      return try #require(lines.first { $0.hasPrefix("  \(option) ") }).split(separator: " ")
    }
    #expect(try row("--cfg-scale")[1...2] == ["15.0", "3.0"] && row("--steps")[1...2] == ["100", "20"])
    #expect(try row("--skip")[1...2] == ["0.36", "–"])
    #expect(text.contains("(0 to under 1)") && text.contains("the same as --zero-last 1"))
    let paper = DDPMInversion.explanation(model: nil)
    #expect(!paper.contains("model") && paper.contains("15.0   weight of the target"))
    #expect(Drag.explanation(model: nil).contains("copied square (cells of 8 pixels, 1 to 64)"))
    #expect(DeltaDenoisingScore.explanation(model: nil).contains("(first-timestep)"))
  }
}
