import Editing
import Tensors
import TestSupport
import Testing

@Suite("Catalogue") struct CatalogueTests {
  @Test("lists every method once, described and findable")
  func list() {
    #expect(
      EditMethods.all.names == [
        "ddpm-inversion", "ledits", "ledits++", "turbo-edit", "infedit", "dds", "pds", "sds", "sdedit",
        "ddim-inversion", "npi", "cycle-diffusion", "cycle-sde", "diffedit", "inpaint", "drag", "pti",
        "null-text", "translate", "generate", "sega",
      ])
    for method in EditMethods.all {
      let about = method.about
      #expect(EditMethods.all.named(about.name) == method)
      #expect(about.summary.hasSuffix(".") && !about.paper.isEmpty && !about.needs.isEmpty)
      #expect(about.needs.contains(.image) || ["generate", "sega"].contains(about.name))
      #expect(Set(method.rows.map(\.option)).count == method.rows.count)
    }
    #expect(EditMethods.all.named("edict") == nil)
  }

  @Test(
    "the defaults are the papers'",
    arguments: [
      ("generate", "steps", "50"), ("sdedit", "strength", "0.5"), ("ddpm-inversion", "steps", "100"),
      ("ddpm-inversion", "skip", "0.36"), ("ddpm-inversion", "cfg-scale", "15.0"),
      ("ddpm-inversion", "source-cfg-scale", "3.5"), ("ddpm-inversion", "zero-last", "0"),
      ("dds", "steps", "200"), ("dds", "learning-rate", "0.1"), ("dds", "loss-scale", "2000·h·w/4096"),
      ("dds", "first-timestep", "50"), ("dds", "last-timestep", "948"), ("sega", "concept-scale", "5.0"),
      ("sega", "concept-warmup", "10"), ("sega", "concept-threshold", "0.9"),
      ("sega", "momentum-scale", "0.1"), ("sega", "momentum-beta", "0.4"), ("ledits", "concept-scale", "7.0"),
      ("ledits", "concept-warmup", "2"), ("ledits", "concept-threshold", "0.95"),
      ("ledits", "momentum-beta", "0.6"), ("ledits++", "steps", "30"), ("ledits++", "skip", "0.15"),
      ("ledits++", "mask-mode", "intersect"), ("ledits++", "concept-cooldown", "never"),
      ("ddim-inversion", "strength", "1.0"), ("cycle-diffusion", "eta", "0.1"),
      ("cycle-diffusion", "strength", "0.8"), ("cycle-sde", "steps", "100"),
      ("cycle-sde", "cfg-scale", "1.0"),
      ("diffedit", "strength", "0.7"), ("diffedit", "mask-maps", "10"), ("diffedit", "mask-ratio", "3.0"),
      ("diffedit", "source-cfg-scale", "7.5"), ("inpaint", "steps", "50"), ("drag", "steps", "200"),
      ("drag", "strength", "0.6"), ("drag", "radius", "5"), ("drag", "copy-scale", "1.1"),
      ("drag", "source-scale", "0.3"), ("drag", "cfg-scale", "3.0"), ("drag", "step-size", "2.0"),
      ("pti", "steps", "50"), ("pti", "cfg-scale", "7.5"), ("pti", "inner-steps", "10"),
      ("pti", "learning-rate", "0.01"), ("pti", "weight-decay", "0.0"), ("pti", "loss", "mean"),
      ("pti", "inversion-path", "unconditional"), ("pti", "initial-embedding", "target"),
      ("pti", "interpolation", "0.8"), ("null-text", "steps", "50"), ("null-text", "cfg-scale", "7.5"),
      ("null-text", "inner-steps", "10"), ("null-text", "learning-rate", "0.01"),
      ("null-text", "early-stop", "1e-05"), ("null-text", "early-stop-rise", "2e-05"),
      ("ddpm-inversion", "solver", "ddpm"), ("turbo-edit", "steps", "4"), ("turbo-edit", "cfg-scale", "1.5"),
      ("turbo-edit", "max-norm", "15.5·√(h·w/4096)"), ("infedit", "steps", "15"),
      ("infedit", "strength", "1.0"), ("infedit", "source-cfg-scale", "1.0"), ("infedit", "cfg-scale", "2.0"),
      ("infedit", "eta", "1.0"), ("infedit", "start", "noise"),
      ("npi", "steps", "50"), ("npi", "cfg-scale", "7.5"), ("npi", "prox", "soft"),
      ("npi", "quantile", "0.75"),
      ("npi", "recon-lr", "1.0"), ("npi", "recon-t", "400"), ("npi", "dilate", "1"), ("pds", "steps", "200"),
      ("pds", "cfg-scale", "100.0"), ("pds", "learning-rate", "0.1"), ("pds", "grid-steps", "500"),
      ("pds", "min-ratio", "0.02"), ("pds", "max-ratio", "0.98"),
    ])
  func defaults(method: String, option: String, value: String) throws {
    let rows = try #require(EditMethods.all.named(method)).rows
    #expect(rows.first { $0.option == option }?.standard.text == value)
  }

  @Test("bounds read like a sentence and hold")
  func bounds() {
    #expect("\(Bounds.fraction)" == "a number over 0, up to 1" && "\(Bounds.steps)" == "1 to 1000")
    #expect("\(Bounds.remainder)" == "0 to under 1" && !Bounds.remainder.contains(1))
    #expect("\(Bounds.any)" == "any finite number" && "\(Bounds.atLeast(0))" == "at least 0")
    #expect(Bounds.unit.contains(0) && Bounds.unit.contains(1) && !Bounds.unit.contains(1.0000001))
    #expect(!Bounds.fraction.contains(0) && !Bounds.any.contains(.nan) && !Bounds.any.contains(.infinity))
  }

  /// One bad value of every kind, with the name that the refusal must carry.
  static let bad: [(any EditingMethod, String)] = {
    func with<M: EditingMethod>(_ change: (inout M) -> Void) -> any EditingMethod {
      var method = M()
      change(&method)
      return method
    }
    return [
      (with { (m: inout TextToImage) in m.steps = 0 }, "steps"),
      (with { (m: inout TextToImage) in m.guidance = .nan }, "cfg-scale"),
      (with { (m: inout SDEdit) in m.strength = 0 }, "strength"),
      (with { (m: inout SDEdit) in m.steps = 1000 }, "1000 steps"),
      (with { (m: inout DDIMTranslation) in m.sourceGuidance = .infinity }, "source-cfg-scale"),
      (with { (m: inout CycleDiffusion) in m.eta = 1.5 }, "eta"),
      (with { (m: inout CycleSDE) in m.steps = 1 }, "steps"),
      (with { (m: inout DDPMInversion) in m.skip = -1 }, "skip"),
      (with { (m: inout DDPMInversion) in m.skip = 1 }, "0 to under 1"),
      (with { (m: inout DDPMInversion) in m.skip = 1 - 1e-13 }, "100 steps are skipped"),
      (
        with { (m: inout LEDITS) in m.semantics.concepts = [Concept(scale: 1, warmup: 0, threshold: 1.1)] },
        "concept-threshold"
      ),
      (with { (m: inout LEDITS) in m.semantics.momentumBeta = -0.1 }, "momentum-beta"),
      (with { (m: inout SEGA) in m.semantics.concepts = [] }, "a concept"),
      (with { (m: inout LEDITSPlusPlus) in m.skip = -0.1 }, "skip"),
      (
        with { (m: inout LEDITSPlusPlus) in m.concepts = [Concept(scale: .nan, warmup: 0, threshold: 0.9)] },
        "concept-scale"
      ),
      (with { (m: inout DeltaDenoisingScore) in m.learningRate = -1 }, "learning-rate"),
      (with { (m: inout DeltaDenoisingScore) in m.lastTimestep = 1000 }, "last-timestep"),
      (with { (m: inout DeltaDenoisingScore) in m.lastTimestep = 10 }, "last-timestep 10"),
      (with { (m: inout DiffEdit) in m.automaticMask.ratio = 0 }, "mask-ratio"),
      (with { (m: inout DiffEdit) in m.strength = 0.01 }, "less than one"),
      (with { (m: inout Inpainting) in m.order = 3 }, "order"),
      (with { (m: inout Drag) in m.stepSize = 0 }, "step-size"),
      (with { (m: inout PromptTuningInversion) in m.innerSteps = -1 }, "inner-steps"),
      (with { (m: inout PromptTuningInversion) in m.interpolation = 1.1 }, "interpolation"),
      (with { (m: inout PromptTuningInversion) in m.interpolation = .nan }, "interpolation"),
      (with { (m: inout PromptTuningInversion) in m.learningRate = -0.1 }, "learning-rate"),
      (with { (m: inout PromptTuningInversion) in m.weightDecay = .infinity }, "weight-decay"),
      (with { (m: inout PromptTuningInversion) in m.path = .source }, "a source prompt"),
      (with { (m: inout PromptTuningInversion) in m.initial = .source }, "a source prompt"),
      (with { (m: inout NullTextInversion) in m.innerSteps = -1 }, "inner-steps"),
      (with { (m: inout NullTextInversion) in m.steps = 0 }, "steps"),
      (with { (m: inout NullTextInversion) in m.stop = -1 }, "early-stop"),
      (with { (m: inout TurboEdit) in m.steps = 1 }, "steps"),
      (with { (m: inout TurboEdit) in m.maxNorm = 0 }, "max-norm"),
      (with { (m: inout InfEdit) in m.steps = 51 }, "51 steps"),
      (with { (m: inout InfEdit) in m.strength = 0.05 }, "less than one"),
      (with { (m: inout InfEdit) in m.eta = 1.1 }, "eta"),
      (with { (m: inout NegativePromptInversion) in m.quantile = -0.1 }, "quantile"),
      (with { (m: inout NegativePromptInversion) in m.pull = 1.1 }, "recon-lr"),
      (with { (m: inout NegativePromptInversion) in m.dilation = -1 }, "dilate"),
      (with { (m: inout PosteriorDistillation) in m.lastPart = 0.02 }, "max-ratio 0.02"),
      (with { (m: inout PosteriorDistillation) in m.firstPart = -0.1 }, "min-ratio"),
      (with { (m: inout DDPMInversion) in (m.solver, m.steps) = (.dpm2, 400) }, "steps"),
      (with { (m: inout Drag) in m.moves = [] }, "point"),
    ]
  }()

  @Test("refuses bad values with a sentence that names them", arguments: bad.indices)
  func refusals(index: Int) {
    let (method, word) = Self.bad[index]
    #expect {
      try method.validate(on: .stableDiffusion)
    } throws: { error in
      let text = "\(error)"
      return error is EditError && text.contains(word) && text.contains(": ")
    }
  }

  @Test("every method's defaults are valid where it needs nothing else")
  func valid() throws {
    let methods: [any EditingMethod] = [
      TextToImage(), SDEdit(), DDIMTranslation(), CycleDiffusion(), CycleSDE(), DDPMInversion(), LEDITS(),
      LEDITSPlusPlus(), ScoreDistillationSampling(), DeltaDenoisingScore(), DiffEdit(), Inpainting(),
      PromptTuningInversion(), NullTextInversion(), TurboEdit(), InfEdit(), NegativePromptInversion(),
      PosteriorDistillation(),
    ]
    for method in methods { try method.validate(on: .stableDiffusion) }
  }
}

/// A whole edit of each method with its defaults asks exactly what it planned, and no more than its paper's
/// algorithm does.
@Suite("Evaluations of the defaults") struct EvaluationTests {
  let photo = latent(81, height: 8, width: 8)
  let tape = SeededTape(seed: 22)
  typealias Model = Diffusion

  private func expect(
    _ planned: Int, atMost table: Int, _ run: (Model) async throws -> Latent
  ) async throws {
    let (model, counter) = nonlinearWorld()
    _ = try await run(model)
    #expect(counter.evaluations == planned && planned <= table)
  }

  @Test("generate: 2·50") func generate() async throws {
    let m = TextToImage()
    try await expect(m.evaluations, atMost: 100) {
      try await m.generate(cat, height: 8, width: 8, model: $0, tape: tape)
    }
  }
  @Test("sdedit: 2·25") func sdedit() async throws {
    try await expect(SDEdit().evaluations, atMost: 50) {
      try await SDEdit().edit(photo, to: cat, model: $0, tape: tape)
    }
  }
  @Test("ddim-inversion: 50 + 2·50") func ddim() async throws {
    try await expect(DDIMTranslation().evaluations, atMost: 150) {
      try await DDIMTranslation().edit(photo, from: cat, to: tiger, model: $0)
    }
  }
  @Test("cycle-diffusion: 3·40, guided on both sides 4·40", arguments: [(1.0, 120), (3, 160)])
  func cycleDiffusion(source: Double, table: Int) async throws {
    var m = CycleDiffusion()
    m.sourceGuidance = source
    try await expect(m.evaluations, atMost: table) { [m] in
      try await m.edit(photo, from: cat, to: tiger, model: $0, tape: tape)
    }
  }
  @Test("cycle-sde: 2·99, guided on both sides 4·99", arguments: [(1.0, 198), (7.5, 396)])
  func cycleSDE(guidance: Double, table: Int) async throws {
    var m = CycleSDE()
    (m.sourceGuidance, m.targetGuidance) = (guidance, guidance)
    try await expect(m.evaluations, atMost: table) { [m] in
      try await m.edit(photo, from: cat, to: tiger, model: $0, tape: tape)
    }
  }
  @Test("ddpm-inversion: 100 + 2·64, or 2·100 + 2·64 with a source prompt")
  func ddpm() async throws {
    let m = DDPMInversion()
    for (source, table) in [(nil, 228), (cat, 328)] as [(Condition?, Int)] {
      try await expect(m.evaluations(hasSourcePrompt: source != nil), atMost: table) {
        try await m.edit(photo, from: source, to: tiger, model: $0, tape: tape)
      }
      // Saving inverts all levels.
      let all = m.inversionEvaluations(levels: 100, hasSourcePrompt: source != nil)
      try await expect(all + 128, atMost: table) { model in
        let inversion = try await m.invert(
          photo, from: source, keepsEveryLevel: true, model: model, tape: tape)
        return try await m.edit(inversion, to: tiger, model: model)
      }
    }
  }
  @Test("ledits: 100 + 64·(1 + C), or 100 + 64·(2 + C) with a target") func ledits() async throws {
    var m = LEDITS()
    m.semantics.concepts = [.ledits, .face]
    for (target, table) in [(nil, 100 + 64 * 3), (tiger, 100 + 64 * 4)] as [(Condition?, Int)] {
      try await expect(m.evaluations(hasSourcePrompt: false, hasTargetPrompt: target != nil), atMost: table) {
        try await m.edit(photo, to: target, concepts: [cat, tiger], model: $0, tape: tape)
      }
    }
  }
  @Test("sega: 50·(2 + C)") func sega() async throws {
    var m = SEGA()
    m.semantics.concepts = [.sega]
    try await expect(m.evaluations, atMost: 150) {
      try await m.generate(cat, concepts: [tiger], height: 8, width: 8, model: $0, tape: tape)
    }
  }
  @Test("ledits++: 30 + 30·(1 + C)") func leditsPlusPlus() async throws {
    var m = LEDITSPlusPlus()
    m.concepts = [.leditsPlusPlus, .leditsPlusPlus]
    try await expect(m.evaluations(hasSourcePrompt: false), atMost: 30 + 30 * 3) {
      try await m.edit(photo, concepts: [cat, tiger], model: $0, tape: tape)
    }
  }
  @Test("sds: 2·200, dds: 4·200") func scores() async throws {
    try await expect(ScoreDistillationSampling().evaluations, atMost: 400) {
      try await ScoreDistillationSampling().edit(photo, to: tiger, model: $0, tape: tape)
    }
    try await expect(DeltaDenoisingScore().evaluations, atMost: 800) {
      try await DeltaDenoisingScore().edit(photo, from: cat, to: tiger, model: $0, tape: tape)
    }
  }
  @Test("diffedit: 4·35, and 4·10 for its mask", arguments: Sampler.allCases)
  func diffEdit(sampler: Sampler) async throws {
    var m = DiffEdit()
    m.sampler = sampler
    try await expect(m.evaluations(hasMask: true), atMost: 140) {
      try await m.edit(photo, from: cat, to: tiger, mask: Mask(height: 8, width: 8), model: $0, tape: tape)
    }
    try await expect(m.evaluations(hasMask: false), atMost: 180) {
      try await m.edit(photo, from: cat, to: tiger, model: $0, tape: tape)
    }
  }
  @Test("inpaint: 2·50", arguments: Sampler.allCases) func inpaint(sampler: Sampler) async throws {
    var m = Inpainting()
    m.sampler = sampler
    try await expect(m.evaluations, atMost: 100) {
      try await m.edit(photo, to: tiger, mask: Mask(height: 8, width: 8), model: $0, tape: tape)
    }
  }
  @Test("drag: 480 per drag", arguments: Sampler.allCases) func drag(sampler: Sampler) async throws {
    var m = Drag()
    m.sampler = sampler
    m.moves = [Drag.Move(from: .init(x: 16, y: 30), to: .init(x: 48, y: 30))]
    try await expect(m.evaluations, atMost: 480 * 2) {
      try await m.edit(photo, showing: cat, model: $0, tape: tape)
    }
  }

  /// What a planner is told of a method is how it mostly asks.
  @Test("come in lists of as many as the method says it asks for at once") func atOnce() async throws {
    func expect(
      _ method: some EditingMethod, hasSourcePrompt: Bool = false, hasTargetPrompt: Bool = true,
      _ run: (Model) async throws -> Latent
    ) async throws {
      let (model, counter) = nonlinearWorld()
      _ = try await run(model)
      let usual = counter.lists.max { ($0.value, $0.key) < ($1.value, $1.key) }
      let told = method.evaluationsAtOnce(
        method.outline(hasSourcePrompt: hasSourcePrompt, hasTargetPrompt: hasTargetPrompt))
      #expect(usual?.key == told, "\(method.name) asks in lists of \(counter.lists)")
    }
    for guidance in [1, 7.5] {
      var sdedit = SDEdit()
      sdedit.guidance = guidance
      try await expect(sdedit) { [sdedit] in try await sdedit.edit(photo, to: cat, model: $0, tape: tape) }
      var dds = DeltaDenoisingScore()
      dds.guidance = guidance
      try await expect(dds, hasSourcePrompt: true) { [dds] in
        try await dds.edit(photo, from: cat, to: tiger, model: $0, tape: tape)
      }
      var cycle = CycleSDE()
      cycle.targetGuidance = guidance
      try await expect(cycle, hasSourcePrompt: true) { [cycle] in
        try await cycle.edit(photo, from: cat, to: tiger, model: $0, tape: tape)
      }
    }
    for sampler in Sampler.allCases {
      var drag = Drag()
      drag.sampler = sampler
      drag.moves = [Drag.Move(from: .init(x: 16, y: 30), to: .init(x: 48, y: 30))]
      try await expect(drag) { [drag] in try await drag.edit(photo, showing: cat, model: $0, tape: tape) }
    }
    let diffusion = CycleDiffusion()
    try await expect(diffusion, hasSourcePrompt: true) {
      try await diffusion.edit(photo, from: cat, to: tiger, model: $0, tape: tape)
    }
    var ledits = LEDITS()
    ledits.semantics.concepts = [.ledits, .face]
    ledits.inversion.skip = 0
    try await expect(ledits) { [ledits] in
      try await ledits.edit(photo, to: tiger, concepts: [cat, tiger], model: $0, tape: tape)
    }
    var sega = SEGA()
    sega.semantics.concepts = [.sega]
    try await expect(sega) { [sega] in
      try await sega.generate(cat, concepts: [tiger], height: 8, width: 8, model: $0, tape: tape)
    }
  }
}
