import ArgumentParser
import Editing
import FoundationEssentials
import ImageFiles
import Pentimento

struct TrainTranslatorCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "train-translator",
    abstract: "Train a small network that edits in one pass ('edit --method translate').",
    discussion: """
      It learns from pictures of what a task begins with, or from such that the model makes, and needs none of what the \
      task ends with (Hertz, Aberman & Cohen-Or 2023, section 5). Pictures are named before the first --task. The middle \
      of each is taken.
      """)

  @Argument(help: "Pictures that show what the tasks begin with.", completion: .pictures)
  var images: [String] = []

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Two prompts: what the pictures show, and what is to be made of it. Repeatable: one network learns all of them.",
      valueName: "source target"))
  var task: [String] = []

  @Option(parsing: .unconditional, help: "Steps; each task is met in turn.") var steps = 1000
  @Option(parsing: .unconditional, help: "Pictures whose gradients make one step.") var batch = 1
  @Option(parsing: .unconditional, help: "Channels of the network, a multiple of 8.") var width = 64
  @Option(parsing: .unconditional, help: "Residual blocks of the network.") var blocks = 6
  @Option(
    name: [.customLong("learning-rate"), .customLong("lr")], parsing: .unconditional, help: "Of AdamW.")
  var learningRate = 1e-4
  @Option(parsing: .unconditional, help: "Of AdamW.") var weightDecay = 1e-2
  @Option(
    name: [.customLong("cfg-scale"), .customLong("guidance-scale")], parsing: .unconditional,
    help: "Weight of the prompts after the warm-up. (default: the model's, or 7.5)")
  var cfgScale: Double?
  @Option(
    parsing: .unconditional, help: "Part of the steps over which guidance rises and the identity fades.")
  var warmup = 0.5
  @Option(
    parsing: .unconditional, help: "What holds a result to its picture at the start, and after the warm-up.")
  var identityWeight = 3.0
  @Option(parsing: .unconditional, help: "The same after the warm-up.") var lastIdentityWeight = 0.1

  @Flag(help: "The paper's ablation: full guidance from the first step on.") var noGuidanceWarmup = false
  @Flag(help: "The paper's ablation: nothing holds a result to its picture.") var noIdentity = false
  @Flag(help: "The paper's ablation: SDS, without the source's prediction.") var noSource = false

  @Option(
    parsing: .unconditional,
    help: "Let the model make so many further pictures from the tasks' source prompts.")
  var generate = 0

  @Option(name: .shortAndLong, parsing: .unconditional, help: "What results should not show.")
  var negativePrompt: String?

  @OptionGroup var noise: SeedOptions
  @OptionGroup var size: SizeOptions
  @OptionGroup var out: TrainingOutputOptions
  @OptionGroup var messages: MessageOptions
  @OptionGroup var checkpoint: CheckpointOptions
  @OptionGroup var runtime: RuntimeOptions

  var computing: ThreadOptions? { runtime.model.parallel }
  var manner: Messages.Manner { messages.manner }
  var reportsJSON: Bool { out.report == .json }

  func validate() throws {
    if let file = task.first(where: FileManager.default.fileExists) {
      throw ValidationError("\(file) is a file and no prompt: name pictures before the first --task")
    }
    guard task.count % 2 == 0 else {
      throw ValidationError(
        "--task takes two prompts, what the pictures show and what is to be made of it: give both")
    }
    guard (0...100_000).contains(generate) else { throw ValidationError("--generate takes 0 to 100000") }
  }

  func run() async throws {
    try out.plot.check()
    for prompt in task { try PromptWords.check(prompt) }
    try checkpoint.check(noise)
    let editor = try runtime.editor(RunFiles(read: images, written: out.named + checkpoint.named))
    let job = try editor.prepare(request(for: editor.model))
    let notes = Notes()
    let report = try await checkpoint.use { journal in
      await note(
        "train-translator, seed \(job.seed), \(job.workingSize) working pixels, \(job.evaluations) evaluations, "
          + "at most \(String(megabytes: job.plan.peak)) MB", journal)
      let gradients = job.request.training.steps * job.request.training.batch
      explain(job.plan, evaluations: job.evaluations, gradients: gradients, of: editor)
      let result = try await notes.watching {
        try await showingProgress { try await job.run(journal: journal, progress: $0) }
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

  private func request(for model: Model) throws -> TranslatorRequest {
    let tasks = stride(from: 0, to: task.count, by: 2).map {
      Translator.Task(source: task[$0], target: task[$0 + 1])
    }
    var request = TranslatorRequest(try images.map { try OpenPicture($0) }, tasks)
    request.generated = generate
    (request.width, request.blocks) = (width, blocks)
    (request.negativePrompt, request.seed, request.size) = (negativePrompt, noise.chosen(), try size.request)
    var training = TranslatorTraining()
    (training.steps, training.batch, training.warmup) = (steps, batch, warmup)
    training.guidance = cfgScale ?? model.guidanceOfScores ?? training.guidance
    (training.learningRate, training.weightDecay) = (learningRate, weightDecay)
    (training.identityWeight, training.lastIdentityWeight) = (identityWeight, lastIdentityWeight)
    training.warmsUpGuidance = !noGuidanceWarmup
    training.keepsIdentity = !noIdentity
    training.subtractsSource = !noSource
    request.training = training
    return request
  }
}
