import Editing
import Foundation
import ImageFiles
import Pentimento
import Tensors
import TestSupport
import Testing

/// What must hold of a method on a trained network, on the embedded model and a shipped picture.
@Suite("With the embedded model") struct EmbeddedModelTests {
  private static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../..").standardizedFileURL
  private static let side = 128
  private static let sourceText = "a red ball on snow at night"
  private static let targetText = "a green ball on snow at night"

  /// A rectangle of ones inside zeros.
  private static let box: Mask = {
    var mask = Mask(height: side / 8, width: side / 8, repeating: 0)
    for y in 4..<9 { for x in 3..<8 { mask[y, x] = 1 } }
    return mask
  }()

  /// A picture's latent, its prompts and a network, at an eighth of the cost of the model's own size.
  private struct Scene {
    let latent: Latent
    let diffusion: Diffusion
    let source: Condition
    let target: Condition
    private let codec: PictureCodec

    init(schedule: NoiseSchedule? = nil) async throws {
      let editor = try Editor(model: Model(folder: package.appending(path: "Weights/embedded")), threads: 2)
      let picture = try PictureFile.read(
        package.appending(path: "Examples/pairs/colour-ball.source.png").path
      )
      .resized(width: side, height: side)
      codec = editor.codec
      latent = try await codec.encode(picture.signal).mean
      let texts = try editor.encode([sourceText, targetText], negativePrompt: nil, width: side, height: side)
      (source, target) = (texts.prompts[0], texts.prompts[1])
      diffusion = Diffusion(
        unet: try editor.noiseNetwork(width: side, height: side), schedule: schedule ?? editor.model.schedule,
        empty: texts.empty)
    }

    /// How far the picture of a latent is from that of the scene's at most, in steps of eight bits, before rounding.
    func difference(_ other: Latent) async throws -> Float {
      let (a, b) = (try await codec.decode(other), try await codec.decode(latent))
      return zip(a.values, b.values).map { 127.5 * abs($0 - $1) }.max()!
    }

    /// Errors of single precision: a few units in the last place for every step, each as large as the values of the
    /// latent, and amplified by no more than the ratio of the noise levels that the grid spans.
    var rounding: Float { latent.maxMagnitude * 0x1p-23 * 1000 }
  }

  @Test("edit-friendly inversion with the same prompt returns the latent to rounding")
  func editFriendlyReconstruction() async throws {
    let scene = try await Scene()
    var method = DDPMInversion()
    method.steps = 20
    method.skip = 0
    method.targetGuidance = method.sourceGuidance
    let same = try await method.edit(
      scene.latent, from: scene.source, to: scene.source, model: scene.diffusion, tape: SeededTape(seed: 3))
    #expect(same.isClose(to: scene.latent, within: scene.rounding))
    let other = try await method.edit(
      scene.latent, from: scene.source, to: scene.target, model: scene.diffusion, tape: SeededTape(seed: 3))
    #expect(other.distance(to: scene.latent) > 1000 * scene.rounding, "another prompt changes nothing")
  }

  /// Kinds of grids: where they begin and at which level they end.
  static let schedules = try! [
    NoiseSchedule.stableDiffusion, NoiseSchedule(setsAlphaToOne: true), NoiseSchedule(spacing: .trailing),
  ]

  /// Of a step of eight bits: pixels are the same but where one happens to lie so close to the middle between two.
  private static let close: Float = 0.01

  @Test("the same prompt gives every pixel back, on every grid", arguments: schedules.indices, [4, 9])
  func pixels(schedule: Int, steps: Int) async throws {
    let scene = try await Scene(schedule: Self.schedules[schedule])
    var method = DDPMInversion()
    (method.steps, method.skip, method.targetGuidance) = (steps, 0, method.sourceGuidance)
    let same = try await method.edit(
      scene.latent, from: scene.source, to: scene.source, model: scene.diffusion, tape: SeededTape(seed: 3))
    #expect(try await scene.difference(same) < Self.close)
    // The released code's last step, where it has no noise, gives back its own prediction.
    method.zeroLast = 1
    let official = try await method.edit(
      scene.latent, from: scene.source, to: scene.source, model: scene.diffusion, tape: SeededTape(seed: 3))
    #expect(try await scene.difference(official) > 0.5)

    var concepts = LEDITSPlusPlus()
    (concepts.steps, concepts.mode) = (steps, .noise)
    let retraced = try await concepts.edit(
      scene.latent, concepts: [], model: scene.diffusion, tape: SeededTape(seed: 6))
    #expect(try await scene.difference(retraced) < Self.close)
  }

  /// The grids of few-step models, and those of the methods that bring their own.
  @Test(
    "the same prompt gives every pixel back with every method that inverts exactly",
    arguments: [("leading", 10), ("trailing", 4), ("trailing", 20)])
  func everyMethod(spacing: String, steps: Int) async throws {
    let scene = try await Scene(schedule: NoiseSchedule(spacing: .init(rawValue: spacing)!))
    func expectEveryPixel(_ method: some EditingMethod) async throws {
      let same = try await method.edit(
        scene.latent, from: scene.source, to: scene.source, model: scene.diffusion, tape: SeededTape(seed: 3))
      #expect(try await scene.difference(same) < Self.close, "\(method.name)")
    }
    var ddpm = DDPMInversion()
    (ddpm.steps, ddpm.skip, ddpm.targetGuidance) = (steps, 0, ddpm.sourceGuidance)
    try await expectEveryPixel(ddpm)
    (ddpm.solver, ddpm.skip) = (.dpm2, 0.5)
    try await expectEveryPixel(ddpm)
    var turbo = TurboEdit()
    (turbo.steps, turbo.maxNorm) = (steps, 1e9)
    try await expectEveryPixel(turbo)
    var cycle = CycleDiffusion()
    (cycle.steps, cycle.strength, cycle.targetGuidance) = (steps, 1, cycle.sourceGuidance)
    try await expectEveryPixel(cycle)
    var stochastic = CycleSDE()
    (stochastic.steps, stochastic.targetGuidance) = (steps, stochastic.sourceGuidance)
    try await expectEveryPixel(stochastic)
    var virtual = InfEdit()
    (virtual.steps, virtual.sourceGuidance) = (steps, virtual.targetGuidance)
    try await expectEveryPixel(virtual)
    // Not exact by itself: pulled back where the prompts agree, here everywhere.
    var negative = NegativePromptInversion()
    (negative.steps, negative.pullsBelow) = (steps, 1000)
    try await expectEveryPixel(negative)
  }

  @Test("LEDITS with a concept of no strength is edit-friendly inversion") func silentConcept() async throws {
    let scene = try await Scene()
    var ledits = LEDITS()
    ledits.inversion.steps = 10
    ledits.inversion.skip = 0.2
    ledits.semantics.concepts = [Concept(scale: 0, warmup: 0, threshold: 0.9)]
    let tape = SeededTape(seed: 5)
    let with = try await ledits.edit(
      scene.latent, from: scene.source, to: scene.target, concepts: [scene.target], model: scene.diffusion,
      tape: tape)
    let without = try await ledits.inversion.edit(
      scene.latent, from: scene.source, to: scene.target, model: scene.diffusion, tape: SeededTape(seed: 5))
    #expect(with.isClose(to: without, within: scene.rounding))
  }

  @Test("cycles with equal prompts and guidance return the latent to rounding") func cycles() async throws {
    let scene = try await Scene()
    var posterior = CycleDiffusion()
    posterior.steps = 12
    posterior.targetGuidance = posterior.sourceGuidance
    let first = try await posterior.edit(
      scene.latent, from: scene.source, to: scene.source, model: scene.diffusion, tape: SeededTape(seed: 7))
    #expect(first.isClose(to: scene.latent, within: scene.rounding))
    var stochastic = CycleSDE()
    stochastic.steps = 12
    stochastic.targetGuidance = stochastic.sourceGuidance
    let second = try await stochastic.edit(
      scene.latent, from: scene.source, to: scene.source, model: scene.diffusion, tape: SeededTape(seed: 7))
    #expect(second.isClose(to: scene.latent, within: scene.rounding))
  }

  @Test("delta denoising with equal prompts leaves the latent as it is, bit for bit") func noDelta()
    async throws
  {
    let scene = try await Scene()
    var method = DeltaDenoisingScore()
    method.iterations = 3
    let same = try await method.edit(
      scene.latent, from: scene.source, to: scene.source, model: scene.diffusion, tape: SeededTape(seed: 1))
    #expect(same.isIdentical(to: scene.latent))
  }

  @Test("inpainting leaves the latent outside the mask bit for bit", arguments: [Sampler.ode, .sde])
  func inpainting(sampler: Sampler) async throws {
    let scene = try await Scene()
    var method = Inpainting()
    method.steps = 6
    method.sampler = sampler
    let edited = try await method.edit(
      scene.latent, to: scene.target, mask: Self.box, model: scene.diffusion, tape: SeededTape(seed: 2))
    #expect(edited.isIdentical(to: scene.latent, outside: Self.box))
    #expect(!edited.isIdentical(to: scene.latent))
  }

  @Test("DiffEdit leaves the latent outside the mask bit for bit", arguments: [Sampler.ode, .sde])
  func diffEdit(sampler: Sampler) async throws {
    let scene = try await Scene()
    var method = DiffEdit()
    (method.steps, method.sampler) = (8, sampler)
    let edited = try await method.edit(
      scene.latent, from: scene.source, to: scene.target, mask: Self.box, model: scene.diffusion,
      tape: SeededTape(seed: 2))
    #expect(edited.isIdentical(to: scene.latent, outside: Self.box))
    #expect(!edited.isIdentical(to: scene.latent))
  }

  @Test("DiffEdit finds nothing between equal prompts; between two colours of the ball it looks at the ball")
  func foundMask() async throws {
    let scene = try await Scene()
    var finder = DiffEditMask()
    (finder.maps, finder.strength) = (4, 0.8)
    let none = try await finder(
      scene.latent, from: scene.source, to: scene.source, model: scene.diffusion, tape: SeededTape(seed: 4))
    #expect(none.isEmpty)
    let trace = Trace()
    let found = try await finder(
      scene.latent, from: scene.source, to: scene.target, model: scene.diffusion, tape: SeededTape(seed: 4),
      observer: trace.observer)
    // The ball covers the rows 8…11 and the columns 10…13 of the 16×16 cells.
    let difference = trace.tensors("diff")[0].values
    var ball: Float = 0
    for row in 8..<12 { for column in 10..<14 { ball += difference[row * 16 + column] } }
    let rest = difference.reduce(0, +) - ball
    #expect(!found.isEmpty && ball / 16 > 1.2 * rest / 240)
  }

  @Test("LEDITS++ without concepts returns the latent to rounding")
  func noConcepts() async throws {
    let scene = try await Scene()
    var method = LEDITSPlusPlus()
    method.steps = 8
    let inversion = try await method.invert(
      scene.latent, model: scene.diffusion, tape: SeededTape(seed: 6))
    let same = try await method.edit(inversion, concepts: [], model: scene.diffusion)
    #expect(same.isClose(to: scene.latent, within: scene.rounding))
    #expect(same.isIdentical(to: try #require(inversion.states[0])))
  }

  @Test("a drag without copy and paste, or with an empty mask, leaves the latent as it is, bit for bit")
  func stillDrag() async throws {
    let scene = try await Scene()
    var method = Drag()
    method.steps = 10
    method.moves = [.init(from: .init(x: 40, y: 64), to: .init(x: 56, y: 64))]
    let moved = try await method.edit(
      scene.latent, showing: scene.source, mask: Self.box, model: scene.diffusion, tape: SeededTape(seed: 8))
    #expect(moved.isIdentical(to: scene.latent, outside: Self.box) && moved != scene.latent)
    method.copiesAndPastes = false
    let still = try await method.edit(
      scene.latent, showing: scene.source, model: scene.diffusion, tape: SeededTape(seed: 8))
    #expect(still.isIdentical(to: scene.latent))
  }

  @Test("a prediction does not depend on what is asked with it, bit for bit") func company() async throws {
    let scene = try await Scene()
    let noise = SeededTape(seed: 9).normal(
      0, count: 1, height: Self.side / 8, width: Self.side / 8, channels: 4)[0]
    let queries = [
      NoiseQuery(noise, timestep: 901, scene.source), NoiseQuery(scene.latent, timestep: 21, scene.target),
      NoiseQuery(noise, timestep: 901, scene.diffusion.empty),
    ]
    let together = try await scene.diffusion.unet.noise(queries)
    for (query, answer) in zip(queries, together) {
      #expect(try await scene.diffusion.unet.noise([query])[0].isIdentical(to: answer))
    }
  }
}
