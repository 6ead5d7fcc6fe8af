import Editing
import Pentimento
import StableDiffusion
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

  /// The translation network, from the case's values on: the first steps of a longer training.
  func runTranslatorTraining(_ model: Model, threads: Int, _ results: TraceResults) async throws {
    try check([
      "width", "blocks", "tasks", "emb", "groups", "lr", "weight_decay", "schedule_steps", "run_steps",
      "w_max",
      "lambda0", "lambda1",
    ])
    var training = TranslatorTraining()
    training.steps = try params["schedule_steps"].integer()
    (training.guidance, training.learningRate) = try (params["w_max"].real(), params["lr"].real())
    training.weightDecay = try params["weight_decay"].real()
    (training.identityWeight, training.lastIdentityWeight) = try (
      params["lambda0"].real(), params["lambda1"].real()
    )
    let pairs = try prompts["tasks"].elements().map { try $0.strings() }
    var configuration = TranslationConfiguration(tasks: pairs.count)
    (configuration.width, configuration.blocks) = try (params["width"].integer(), params["blocks"].integer())
    (configuration.embedding, configuration.groups) = try (
      params["emb"].integer(), params["groups"].integer()
    )
    guard configuration.isPossible, pairs.allSatisfy({ $0.count == 2 }) else {
      throw TraceError.missingPrompt("tasks")
    }
    let editor = try Editor(model: model, threads: threads)
    let encoded = try encoded(pairs.flatMap { $0 }, editor)
    let tasks = pairs.indices.map {
      TranslatorTraining.Task(source: encoded.prompts[2 * $0], target: encoded.prompts[2 * $0 + 1])
    }
    let network = try editor.noiseNetwork(width: imageSize.width, height: imageSize.height)
    let diffusion = Diffusion(unet: network, schedule: try noiseSchedule(of: model), empty: encoded.empty)
    let latents = try [latent("x0"), latent("x1")]
    let translator = try TrainingTranslator(
      configuration, of: model, height: latents[0].height, width: latents[0].width, threads: threads)
    let values = try Dictionary(
      uniqueKeysWithValues: translator.parameters.map {
        ($0.name, try inputs.hostTensor("net.\($0.name)", shape: $0.shape))
      })
    await translator.update(values)
    results.add("forward_before", try await translator.translate(latents[0], task: 0))
    let tape = try tape()
    _ = try await training.run(
      on: latents, tasks: tasks, translator: translator, values: values, model: diffusion, tape: tape,
      until: params["run_steps"].integer(), observer: results.observer(naming: ["losses": "loss"]))
    let observer = results.observer()
    for (task, latent) in zip(tasks.indices, latents) {
      let out = try await translator.translate(latent, task: task)
      observer("outs_after", out)
    }
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
