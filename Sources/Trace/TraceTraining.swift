import Editing
import Pentimento
import Tensors

/// Cases of trainings: what is trained begins with the case's values and is compared with what it becomes.
extension TraceCase {
  /// Per-picture LoRA, from the case's matrices on.
  func runLoRATraining(_ model: Model, threads: Int, _ results: TraceResults) async throws {
    try check(["steps", "lr", "weight_decay", "rank"])
    var training = LoRATraining()
    training.steps = try params["steps"].integer()
    training.rank = try params["rank"].integer()
    training.learningRate = try params["lr"].real()
    training.weightDecay = try params["weight_decay"].real()
    guard let prompt = prompt("target") else { throw TraceError.missingPrompt("prompt") }
    let condition = try encoded([prompt], Editor(model: model, threads: threads)).prompts[0]
    let network = try Editor(model: model.training(rank: training.rank), threads: threads).noiseNetwork(
      width: imageSize.width, height: imageSize.height, keeping: .parameterGradients)
    let tape = try tape()
    _ = try await training.run(
      .init(mean: latent("x0")), prompt: condition, network: network, factors: loRAMatrices(),
      schedule: noiseSchedule(of: model), tape: tape, observer: results.observer())
    results.evaluations = await network.work.evaluations
    guard tape.unused.isEmpty else { throw TraceError.unusedDraws(tape.unused) }
  }

  /// - Throws: `TraceError.unknownKey`.
  private func check(_ known: Set<String>) throws {
    if let key = params.keys.first(where: { !known.union(["scheduler"]).contains($0) }) {
      throw TraceError.unknownKey(key)
    }
  }

  private func encoded(_ texts: [String], _ editor: Editor) throws -> EncodedPrompts {
    try editor.encode(texts, negativePrompt: nil, width: imageSize.width, height: imageSize.height)
  }
}
