import Editing
import Tensors

extension EditJob {
  /// - Parameters:
  ///   - cut: parts of prompts that did not fit.
  ///   - edits: that went through the stages together.
  func report(
    _ work: NetworkWork, int8Decibels: Double?, cut: [String], _ remarks: Remarks, _ change: EditChange?,
    seconds: Double, together edits: Int = 1
  ) -> EditReport {
    let (model, geometry) = (editor.model, pictures.geometry)
    let streamed = StreamLog.current?.streamed ?? []
    return EditReport(
      method: prepared.name, model: model.name, kind: model.kind.name,
      grid: prepared.method.samplesByJumps
        ? PictureSampler.lcm.rawValue : model.schedule.spacing.rawValue,
      lora: model.adapters,
      parameters: prepared.method.reportedValues(prepared.outline),
      settingsFrom: prepared.sources.mapValues(\.rawValue),
      stepFactor: (method as? any ScoreDescent)?.stepFactor(
        height: geometry.latentHeight, width: geometry.latentWidth),
      concepts: request.concepts.map { ($0.direction == .add ? "+" : "-") + $0.text },
      prompt: request.prompt, sourcePrompt: request.sourcePrompt, negativePrompt: request.negativePrompt,
      promptSyntax: request.syntax == .plain ? nil : request.syntax,
      task: prepared.outline.task.map { "\($0 + 1) \(request.translator!.tasks[$0])" },
      seed: seed, generator: SeededTape.generator,
      inversion: method is any InvertingMethod ? request.inversionUse : nil, width: workingSize.width,
      height: workingSize.height, plannedEvaluations: evaluations,
      evaluations: work.evaluations + comparisonEvaluations,
      plannedGradients: gradients, gradients: work.gradients,
      losses: remarks.losses.isEmpty ? nil : remarks.losses,
      int8Decibels: int8Decibels, attention: stages.noise?.graph.attention, threads: editor.threads,
      instructionSet: editor.pool.kernels.name,
      cutPrompts: cut,
      warnings: remarks.warnings,
      mask: request.mask != nil ? "given" : remarks.mask != nil ? "found" : nil, plannedPeakBytes: plan.peak,
      peakBytes: ProcessMemory.peak, streamedBytes: streamed.reduce(0) { $0 + $1.bytes },
      stalledSeconds: streamed.reduce(0) { $0 + $1.stalledSeconds }, streamed: streamed, editsTogether: edits,
      seconds: seconds, crop: request.window?.text, change: change)
  }
}
