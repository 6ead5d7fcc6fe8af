import Editing
import JSON
import Tensors

/// What a run was and what it took.
public struct EditReport: Sendable, Codable {
  public var method: String
  public var model: String
  /// What the model was distilled to, as its files or the caller say; nil for an ordinary one.
  public var kind: String?
  /// Which timesteps the model is sampled at: leading, trailing, or lcm for the jumps of a consistency model.
  public var grid: String?
  /// Names of the LoRA files that were laid over the model, with their factors.
  public var lora: [String]
  /// Every parameter of the method with the value used.
  public var parameters: [String: ReportedValue]
  /// Settings that the caller, a given inversion or the model gave, or that models of its kind take; all others are the
  /// method's own defaults.
  public var settingsFrom: [String: String]
  /// sds, dds: what a gradient is multiplied by at this size, learning rate times L/(h·w) (Hertz et al. 2023).
  public var stepFactor: Double?
  public var concepts: [String]
  public var prompt: String?
  public var sourcePrompt: String?
  public var negativePrompt: String?
  /// How they were read; nil: as plain text.
  public var promptSyntax: PromptSyntax?
  /// Of a translator, with its number.
  public var task: String?
  public var seed: UInt64
  public var generator: String
  /// Whether the inversion served this edit alone, is kept or was given; nil for a method without one.
  public var inversion: InversionUse?
  /// Working size in pixels.
  public var width: Int
  public var height: Int
  /// Network evaluations, as planned and as done.
  public var plannedEvaluations: Int
  public var evaluations: Int
  /// Passes forward and backward, as planned and as done.
  public var plannedGradients: Int
  public var gradients: Int
  /// The training that went before; nil where there was none, or a file of an earlier one.
  public var learning: TrainingReport?
  /// Of every update of what the method tuned; nil where it tunes nothing.
  public var losses: [Double]?
  /// Peak signal-to-noise ratio in dB between the result at its working size and the same edit sampled in int8; nil
  /// where it was not asked for, or nothing differs.
  public var int8Decibels: Double?
  /// In what the noise network computed its attention; nil where there was none.
  public var attention: AttentionArithmetic?
  public var threads: Int
  public var instructionSet: String
  /// Prompts that were longer than the model reads: the parts that were cut.
  public var cutPrompts: [String]
  public var warnings: [String]
  /// "given", or "found" by the method; nil where there was none.
  public var mask: String?
  public var plannedPeakBytes: Int
  /// As the kernel counted for this process until the edit was done; who writes the result may ask `ProcessMemory`
  /// again.
  public var peakBytes: Int
  /// Weights that were read again and again, in all and by stage, and seconds for which computing waited for them.
  public var streamedBytes: Int
  public var stalledSeconds: Double
  public var streamed: [StreamedWeights]
  /// Edits that went through the stages together (`EditGroup`): what was streamed was streamed once for all of them. 1 for
  /// an edit by itself.
  public var editsTogether: Int
  public var seconds: Double
  /// The part of the picture that the model was shown, `x,y,width,height`; nil for all of it.
  public var crop: String?
  /// What the edit did to the picture; nil where there was none.
  public var change: EditChange?
}

extension EditReport {
  /// Of every update of whatever the run tuned or trained.
  public var allLosses: [Double] { (learning?.losses ?? []) + (losses ?? []) }

  /// What goes into the picture's file as text: the line that galleries read, and all that it takes to make the picture
  /// again. No time, no machine.
  ///
  /// - Parameter record: of the job that made it.
  public func metadata(_ record: EditRecord) -> [(String, String)] {
    [
      ("Software", "pentimento \(programVersion)"), ("parameters", line(record)),
      (EditRecord.key, record.text),
    ]
  }

  /// The three lines of A1111's web UI: the prompt, what it should not show, and settings behind commas. A line end or an
  /// escape code in a prompt is a space, so that neither makes a line of its own.
  private func line(_ record: EditRecord) -> String {
    func plain(_ text: String) -> String {
      let words = text.unicodeScalars.map { $0.isPlain ? Character($0) : " " }
      let line = String(words)
      // What would be read as another line of the three is in quotes.
      return ["negative prompt:", "steps:"].contains { line.lowercased().drop { $0 == " " }.hasPrefix($0) }
        ? "\"\(line)\"" : line
    }
    func quoted(_ text: String) -> String {
      let text = plain(text)
      return text.contains { ",:\"".contains($0) } ? JSONValue.string(text).text : text
    }
    let options = record.options
    var settings = [
      ("Steps", options["steps"]?.text), ("Sampler", method), ("CFG scale", options["cfg-scale"]?.text),
      ("Seed", "\(seed)"), ("Size", "\(width)x\(height)"),
    ]
    if case .object(let model)? = options["model"], case .string(let hash)? = model["sha256"] {
      settings.append(("Model hash", String(hash.prefix(10))))
    }
    settings.append(("Model", quoted(model)))
    if !lora.isEmpty { settings.append(("Lora", quoted(lora.joined(separator: " ")))) }
    if !concepts.isEmpty { settings.append(("Concepts", quoted(concepts.joined(separator: "; ")))) }
    settings += [
      ("Denoising strength", options["strength"]?.text), ("RNG", quoted(generator)),
      ("Version", "pentimento \(programVersion)"),
    ]
    var lines = [plain(prompt ?? "")]
    if let negativePrompt, !negativePrompt.isEmpty {
      lines.append("Negative prompt: \(plain(negativePrompt))")
    }
    lines.append(
      settings.compactMap { name, value in value.map { "\(name): \($0)" } }.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }
}

extension Unicode.Scalar {
  /// Neither a control character nor a mark that changes the direction of writing or separates lines.
  fileprivate var isPlain: Bool {
    switch value {
    case 0...0x1F, 0x7F...0x9F, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: false
    default: true
    }
  }
}
