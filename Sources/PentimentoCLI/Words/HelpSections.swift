/// Options that belong together, in the order in which help tells of them.
struct HelpSection: Sendable {
  var title: String
  /// What nearly everyone needs; short help explains these alone.
  var first: [String]
  var others: [String]
  /// Those that have it; nil: all.
  private var commands: [String]?

  private init(_ title: String, of commands: [String]? = nil, first: [String] = [], _ others: [String] = []) {
    (self.title, self.commands, self.first, self.others) = (title, commands, first, others)
  }

  /// Every option of every command has its place here, but for the settings of the methods, which come last and whose
  /// place is their declaration's.
  static let all = [
    HelpSection(
      "Training", of: ["train-lora", "train-translator"], first: ["task", "generate"],
      [
        "preset", "rank", "steps", "learning-rate", "weight-decay", "batch", "width", "blocks", "cfg-scale",
        "warmup", "identity-weight", "last-identity-weight", "no-guidance-warmup", "no-identity", "no-source",
      ]),
    HelpSection(
      "Picture and prompts",
      first: ["image", "prompt", "source-prompt", "negative-prompt", "concept", "mask", "drag"],
      ["prompt-syntax", "task", "translator"]),
    HelpSection(
      "File", of: ["quantize", "inspect", "compare"],
      first: ["weights", "dry-run", "rule", "calibrate", "tensors", "verify"],
      ["keep", "scales", "native-size", "sampler", "edits"]),
    HelpSection(
      "Result", first: ["output", "out", "size", "seed", "params-from"],
      [
        "width", "height", "format", "quality", "no-metadata", "report", "plot", "preview", "preview-every",
        "force",
      ]),
    HelpSection("Method", first: ["method", "fast", "for"], ["posterior"]),
    HelpSection(
      "Model", first: ["model", "lora"],
      [
        "text-encoder", "text-encoder-2", "vae", "config", "prediction-type", "spacing", "attention",
        "reference-attention", "precision",
      ]),
    HelpSection(
      "Region", ["feather", "paste-back", "crop", "detail", "save-mask", "drag-file", "drag-order"]),
    HelpSection("Inversion", ["save-inversion", "inversion", "compare-int8"]),
    HelpSection("LoRA of the picture", ["lora-steps", "lora-rank", "lora-cache"]),
    HelpSection("Jobs", first: ["dry-run", "until"], ["shard"]),
    HelpSection(
      "Machine", first: ["max-ram"],
      ["threads", "isa", "checkpoint", "progress", "progress-every", "quiet", "verbose"]),
    HelpSection("Help", first: ["help"]),
  ]

  /// What a command has of each section, without those of which it has nothing. An option has the first place that
  /// names it.
  static func placed(
    in command: CommandInfo
  ) -> [(title: String, first: [OptionInfo], others: [OptionInfo])] {
    var left = command.options.filter { $0.kind != .positional && $0.section == nil }
    func take(_ names: [String]) -> [OptionInfo] {
      names.compactMap { name in
        left.firstIndex { $0.name == name }.map { left.remove(at: $0) }
      }
    }
    return all.filter { $0.commands?.contains(command.name) ?? true }
      .map { (title: $0.title, first: take($0.first), others: take($0.others)) }
      .filter { !$0.first.isEmpty || !$0.others.isEmpty }
  }
}
