import Editing
import Files
import Pictures
import Runtime

extension Editor {
  /// An edit with a model that learns the picture first. It is planned with a LoRA that has the shapes of the learned one.
  func prepare(_ request: EditRequest, learning: LoRALearning, lanes: Int?) throws -> EditJob {
    let method = try request.method ?? EditMethod.choice(for: request, on: model.kind).method
    guard method.about.accepts.contains(.lora) else {
      throw RequestError.inputNotUsed(input: .learning, method: method.name)
    }
    var plain = request
    plain.learning = nil
    guard let picture = request.picture else {
      throw RequestError.missingInput(input: .picture, method: method.name)
    }
    guard let prompt = request.prompt else {
      throw RequestError.missingInput(input: .prompt, method: method.name)
    }
    if let cache = learning.cache { try PartialFile.check("\(cache)/lora.safetensors") }
    // What the edit is shown is what is learned.
    var shown = picture
    if let window = request.window { shown = WindowedPicture(picture, window) }
    var training = LoRARequest(shown, prompt: prompt)
    (training.training, training.samplesPosterior) = (learning.training, learning.samplesPosterior)
    (training.size, training.seed) = (request.size, request.seed)
    training.promptSyntax = request.syntax
    let first: LearningJob
    do {
      first = LearningJob(training: try prepare(training), cache: learning.cache)
    } catch EditError.parameter(_, let name, let value, let allowed) {
      // Beside the method's own: "lora-steps".
      throw EditError.parameter(method: method.name, name: "lora-\(name)", value: value, allowed: allowed)
    }
    var job = try Editor(self, model: first.blankModel()).prepare(plain, lanes: lanes)
    job.learning = first
    let rows = first.training.plan.stages.map { stage in
      var row = stage
      row.name = "learn: \(stage.name)"
      return row
    }
    job.plan.stages = rows + job.plan.stages
    return job
  }
}

extension EditJob {
  /// Learns the picture, then edits it with what was learned.
  func run(
    after learning: LearningJob, _ part: Part,
    _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> EditResult {
    let clock = ContinuousClock.now
    let total = evaluations + gradients
    let thread = try NetworkThread()
    let read = try await thread.run { try pictures.read() }
    try await part.tie(read)
    let (model, report) = try await learning.learn(read.picture!, in: part.journal) { done, _ in
      progress(2 * done, total)
    }
    try Task.checkCancellation()
    // A gradient is an evaluation as well.
    let before = 2 * learning.training.gradients
    let job = try Editor(learning.training.editor, model: model).prepare(request)
    var result = try await job.run(Part(journal: part.journal, tie: { _ in })) { done, _ in
      progress(before + done, total)
    }
    result.report.learning = report
    (result.report.plannedEvaluations, result.report.plannedGradients) = (evaluations, gradients)
    result.report.evaluations += report?.evaluations ?? 0
    result.report.gradients += report?.gradients ?? 0
    result.report.plannedPeakBytes = plan.peak
    result.report.seconds = (ContinuousClock.now - clock).seconds
    return result
  }
}
