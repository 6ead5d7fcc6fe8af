import ArgumentParser
import Editing
import ImageFiles
import Pentimento

struct TrainLoRACommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "train-lora",
    abstract: "Teach the model one picture, so that edits of it keep its identity.",
    discussion: """
      The file is laid over the model with --lora, here and in diffusers. 'edit --method drag --lora-steps 100' trains \
      and drags in one go (Hu et al. 2022; Nie et al. 2024).
      """)

  @Argument(help: "The picture (PNG, JPEG or PPM).", completion: .pictures) var picture: String
  @Option(
    name: .shortAndLong, parsing: .unconditional, help: "What it shows; for a drag, what its result shows.")
  var prompt: String

  @OptionGroup var learning: LoRAOptions
  @OptionGroup var noise: SeedOptions
  @OptionGroup var size: SizeOptions
  @OptionGroup var out: TrainingOutputOptions
  @OptionGroup var messages: MessageOptions
  @OptionGroup var checkpoint: CheckpointOptions
  @OptionGroup var runtime: RuntimeOptions

  var computing: ThreadOptions? { runtime.model.parallel }
  var manner: Messages.Manner { messages.manner }
  var reportsJSON: Bool { out.report == .json }

  func run() async throws {
    try out.plot.check()
    try PromptWords.check(prompt)
    try checkpoint.check(noise)
    let editor = try runtime.editor(RunFiles(read: [picture], written: out.named + checkpoint.named))
    var request = LoRARequest(try OpenPicture(picture), prompt: prompt)
    (request.training, request.samplesPosterior) = (learning.training, learning.posterior != .mean)
    (request.seed, request.size) = (noise.chosen(), try size.request)
    let job = try editor.prepare(request)
    let notes = Notes()
    let report = try await checkpoint.use { journal in
      await note(
        "train-lora, seed \(job.seed), \(job.workingSize) working pixels, \(job.gradients) gradients, at most "
          + "\(String(megabytes: job.plan.peak)) MB", journal)
      explain(job.plan, evaluations: job.gradients, gradients: job.gradients, of: editor)
      let result = try await notes.watching {
        try await showingProgress("gradients") { try await job.run(journal: journal, progress: $0) }
      }
      try Task.checkCancellation()
      Messages.stage("write")
      try out.write(result.report.losses, result.write(into:))
      return result.report
    }
    Messages.stage(nil)
    Messages.detail(
      "done in \(report.seconds.rounded(to: 2)) s, at most \(String(megabytes: report.peakBytes)) MB")
    for cut in report.cutPrompts { notes.tell(cut: cut) }
    try out.print(report)
  }
}

/// A LoRA that is trained before an edit.
struct LearningOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: "drag: teach the model the picture first, in so many steps (100).")
  var loraSteps: Int?

  @Option(parsing: .unconditional, help: "Rank of that LoRA. (default: 16)") var loraRank: Int?

  @Option(
    help: ArgumentHelp(
      "A folder in which such LoRAs stay: one of the same picture, prompt, model, seed and settings is used again.",
      valueName: "folder"), completion: .directory)
  var loraCache: String?

  func validate() throws {
    guard loraSteps != nil || (loraRank == nil && loraCache == nil) else {
      throw ValidationError(
        "--lora-\(loraRank != nil ? "rank" : "cache") is for a LoRA that is trained first: give --lora-steps too"
      )
    }
  }

  /// Nil where nothing is to be learned.
  var request: LoRALearning? {
    guard let loraSteps else { return nil }
    var learning = LoRALearning()
    learning.training.steps = loraSteps
    learning.training.rank = loraRank ?? learning.training.rank
    learning.cache = loraCache
    return learning
  }
}

/// How a LoRA learns.
struct LoRAOptions: ParsableArguments {
  @Option(help: "benchmark: rank 4, as the released script has it for DragBench.") var preset: Preset?
  @Option(parsing: .unconditional, help: "Rank of the factors. (default: 16)") var rank: Int?
  @Option(parsing: .unconditional, help: "Steps.") var steps = 100
  @Option(
    name: [.customLong("learning-rate"), .customLong("lr")], parsing: .unconditional, help: "Of AdamW.")
  var learningRate = 2e-4
  @Option(parsing: .unconditional, help: "Of AdamW.") var weightDecay = 1e-2
  @Option(help: "Draw the picture's latent anew in every step (sample), or take its mean.")
  var posterior = Posterior.sample

  enum Preset: String, ExpressibleByArgument, CaseIterable { case benchmark }
  enum Posterior: String, ExpressibleByArgument, CaseIterable { case sample, mean }

  var training: LoRATraining {
    var training = preset == .benchmark ? LoRATraining.benchmark : LoRATraining()
    training.rank = rank ?? training.rank
    (training.steps, training.learningRate, training.weightDecay) = (steps, learningRate, weightDecay)
    return training
  }
}
