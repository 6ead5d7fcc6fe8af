import Editing
import Files
import Tensors

extension TranslatorJob {
  /// Every setting by the name that the command has for it.
  var parameters: [String: String] {
    let t = request.training
    return [
      "steps": "\(t.steps)", "cfg-scale": "\(t.guidance)", "warmup": "\(t.warmup)",
      "score-weight": "\(t.scoreWeight)", "identity-weight": "\(t.identityWeight)",
      "last-identity-weight": "\(t.lastIdentityWeight)", "learning-rate": "\(t.learningRate)",
      "weight-decay": "\(t.weightDecay)", "batch": "\(t.batch)", "first-timestep": "\(t.firstTimestep)",
      "last-timestep": "\(t.lastTimestep)", "warms-up-guidance": "\(t.warmsUpGuidance)",
      "keeps-identity": "\(t.keepsIdentity)", "subtracts-source": "\(t.subtractsSource)",
      "width": "\(request.width)", "blocks": "\(request.blocks)", "generate": "\(request.generated)",
      "generate-steps": "\(generator.steps)", "generate-cfg-scale": "\(generator.guidance)",
    ]
  }

  /// Reads all pictures.
  func identity() throws -> RunIdentity {
    var run = try editor.identity(seed: seed, TranslatorTraining.name, parameters)
    run.tie("tasks", request.tasks.map { "\($0)" }.joined(separator: ", "))
    run.tie("negative prompt", request.negativePrompt, shown: request.negativePrompt.map { "\"\($0)\"" })
    run.tie("working size", "\(workingSize)")
    var hash = SHA256()
    for (picture, geometry) in zip(request.pictures, geometries) {
      try Task.checkCancellation()
      hash.update(try geometry.workingPicture(reading: cropped(picture)).pixels)
    }
    run.tie("pictures", "\(request.pictures.count) \(hash.finalize())", shown: "\(request.pictures.count)")
    return run
  }

  func report(evaluations: Int, gradients: Int, _ losses: [Double], cut: [String], seconds: Double)
    -> TrainingReport
  {
    TrainingReport(
      training: TranslatorTraining.name, model: editor.model.name, lora: editor.model.adapters,
      parameters: parameters.mapValues(ReportedValue.init(parsing:)), tasks: request.tasks,
      negativePrompt: request.negativePrompt,
      pictures: request.pictures.count, generated: request.generated, seed: seed,
      generator: SeededTape.generator, width: workingSize.width, height: workingSize.height,
      trained: stages.training.parameterCount, plannedEvaluations: self.evaluations,
      evaluations: evaluations, plannedGradients: request.training.steps * request.training.batch,
      gradients: gradients, losses: losses,
      threads: editor.threads, instructionSet: editor.pool.kernels.name, cutPrompts: cut,
      plannedPeakBytes: plan.peak, peakBytes: ProcessMemory.peak, seconds: seconds)
  }
}
