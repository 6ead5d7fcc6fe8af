import Editing
import Foundation
import Pentimento
import Tensors
import TestSupport
import Testing

/// A method that uses gradients: it moves the context, then takes the network's noise off the photo.
private struct Tuning: EditingMethod {
  var steps = 2

  static let about = MethodSummary(
    name: "tuning", summary: "Tunes the prompt to foretell no noise.", paper: "Nobody 2026, a test",
    needs: [.image, .targetPrompt], evaluations: "1")
  static let parameters: [Parameter<Tuning>] = [Parameter("steps", \.steps, .steps, "gradient steps")]

  func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
  }
  func evaluations(_ outline: EditOutline) -> Int { steps + 1 }
  func gradients(_ outline: EditOutline) -> Int { steps }
  func demands(_ outline: EditOutline) -> NetworkDemands { .contextGradient }
  func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int { 0 }

  func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    let z = inputs.source!
    var query = NoiseQuery(z, timestep: 301, inputs.targetCondition!)
    let loss = SquaredLoss(scale: 1, base: 0 * z, weight: 1)
    for _ in 0..<steps {
      let gradient = try await context.derivative!.contextGradient(query, of: loss).gradient
      let norm = gradient.values.reduce(0) { max($0, abs($1)) }
      for i in gradient.values.indices {
        query.condition.context.values[i] -= 0.1 * gradient.values[i] / norm
      }
    }
    return .combination([(1, z), (-0.5, try await context.diffusion.unet.noise([query])[0])])
  }
}

@Suite("A method that takes gradients") struct DifferentiatingMethodTests {
  private static let baseline = 20_000_000
  private let model: Model

  init() throws {
    model = try Model(
      folder: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../Fixtures/sdxl/model").standardizedFileURL)
  }

  private var request: EditRequest {
    var request = EditRequest(EditMethod(Tuning.self, settings: [:]))
    request.size = .box(Extent(width: 128, height: 128))
    request.picture = Picture(
      width: 128, height: 128, pixels: (0..<128 * 128 * 3).map { UInt8($0 * 7 % 251) })
    request.prompt = "a red cube"
    return request
  }

  private func editor(_ limit: Int? = nil) throws -> Editor {
    try Editor(model: model, threads: 2, maximumMemory: limit, reachable: nil, baseline: Self.baseline)
  }

  @Test(
    "is planned with its backward pass, keeps a limit on memory, and the picture is the same byte for byte")
  func limit() async throws {
    let free = try editor().prepare(request)
    func noise(_ plan: MemoryPlan) throws -> (stage: MemoryPlan.Stage, gradient: MemoryPlan.Gradient) {
      let stage = try #require(plan.stages.first { $0.name == "denoise" })
      return (stage, try #require(stage.gradient))
    }
    let roomy = try noise(free.plan)
    #expect(roomy.gradient.recomputedBlocks == 0 && roomy.stage.arena == roomy.gradient.arenaKeepingAll)
    #expect(roomy.gradient.multiplyAdds > 10_000_000)

    // What the other stages need, which is less than keeping everything takes, weights or not.
    let others = free.plan.stages.filter { $0.name != "denoise" }.map(\.total).max()!
    let limit = Self.baseline + free.plan.held + others
    let bounded = try editor(limit).prepare(request)
    let tight = try noise(bounded.plan)
    #expect(bounded.plan.peak <= limit && tight.gradient.recomputedBlocks > 0)
    #expect(tight.gradient.recomputedBlocks <= tight.gradient.blocks)
    #expect(
      tight.gradient.multiplyAdds - tight.gradient.recomputedMultiplyAdds == roomy.gradient.multiplyAdds)

    let progress = Progress()
    let results = [
      try await free.run { done, total in progress.record(done, total) }, try await bounded.run(),
    ]
    #expect(try results[0].pixels == results[1].pixels)
    // A gradient is an evaluation and a backward pass.
    #expect(progress.seen == [[2, 5], [4, 5], [5, 5]])
  }
}

/// What a run said of its progress. `@unchecked Sendable`: written under its lock.
private final class Progress: @unchecked Sendable {
  private let lock = NSLock()
  private(set) var seen: [[Int]] = []

  func record(_ done: Int, _ total: Int) { lock.withLock { seen.append([done, total]) } }
}
