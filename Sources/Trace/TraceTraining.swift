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

  /// A translation network, from the case's values on: `net.` and its names.
  func runTranslatorTraining(_ model: Model, threads: Int, _ results: TraceResults) async throws {
    try check([
      "width", "blocks", "tasks", "emb", "groups", "lr", "weight_decay", "schedule_steps", "run_steps", "w_max",
      "lambda0", "lambda1",
    ])
    var configuration = TranslationConfiguration(tasks: try params["tasks"].integer())
    configuration.width = try params["width"].integer()
    configuration.blocks = try params["blocks"].integer()
    configuration.embedding = try params["emb"].integer()
    configuration.groups = try params["groups"].integer()
    var training = TranslatorTraining()
    training.steps = try params["schedule_steps"].integer()
    training.guidance = try params["w_max"].real()
    training.identityWeight = try params["lambda0"].real()
    training.lastIdentityWeight = try params["lambda1"].real()
    training.learningRate = try params["lr"].real()
    training.weightDecay = try params["weight_decay"].real()

    let texts = try prompts["tasks"].elements().flatMap { try $0.strings() }
    guard texts.count == 2 * configuration.tasks, configuration.isPossible else {
      throw prompts["tasks"].wrong("two prompts for each of \(configuration.tasks) tasks")
    }
    let editor = try Editor(model: model, threads: threads)
    let conditions = try encoded(texts, editor)
    let tasks = (0..<configuration.tasks).map {
      TranslatorTraining.Task(source: conditions.prompts[2 * $0], target: conditions.prompts[2 * $0 + 1])
    }
    let network = try editor.noiseNetwork(width: imageSize.width, height: imageSize.height)
    let diffusion = Diffusion(unet: network, schedule: try noiseSchedule(of: model), empty: conditions.empty)
    let (latents, values) = ([try latent("x0"), try latent("x1")], try tensors("net."))
    let translator = try TrainingTranslator(
      configuration, of: model, height: imageSize.height / 8, width: imageSize.width / 8, threads: threads)
    for (name, shape) in translator.parameters where values[name]?.shape != shape {
      throw TraceError.input("net.\(name)", found: values[name]?.shape ?? [], expected: "\(shape)")
    }
    await translator.update(values)
    results.add("forward_before", try await translator.translate(latents[0], task: 0))
    let tape = try tape()
    _ = try await training.run(
      on: latents, tasks: tasks, translator: translator, values: values, model: diffusion, tape: tape,
      until: params["run_steps"].integer(), observer: results.observer(naming: ["losses": "loss"]))
    var after: [Latent] = []
    for (task, latent) in latents.prefix(tasks.count).enumerated() {
      after.append(try await translator.translate(latent, task: task))
    }
    results.add("outs_after", Latent.stacked(after))
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
