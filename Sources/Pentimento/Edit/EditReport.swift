import Editing
import Tensors

/// What a run was and what it took.
public struct EditReport: Sendable, Codable {
  public var method: String
  public var model: String
  /// Names of the LoRA files that were laid over the model, with their factors.
  public var lora: [String]
  /// Every parameter of the method with the value used.
  public var parameters: [String: String]
  /// Settings that the caller, a given inversion or the model gave; all others are the method's own defaults.
  public var settingsFrom: [String: String]
  /// sds, dds: what a gradient is multiplied by at this size, learning rate times L/(h·w) (Hertz et al. 2023).
  public var stepFactor: Double?
  public var concepts: [String]
  public var prompt: String?
  public var sourcePrompt: String?
  public var negativePrompt: String?
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
}

extension EditReport {
  /// Of every update of whatever the run tuned or trained.
  public var allLosses: [Double] { (learning?.losses ?? []) + (losses ?? []) }

  /// What it takes to make the picture again, as text chunks of its file: no time, no machine.
  public var metadata: [(String, String)] {
    var lines = ["method": method, "model": model, "seed": "\(seed)"]
    lines["generator"] = generator
    lines["working size"] = "\(width)x\(height)"
    if !lora.isEmpty { lines["lora"] = lora.joined(separator: ", ") }
    lines["prompt"] = prompt
    lines["source prompt"] = sourcePrompt
    lines["negative prompt"] = negativePrompt
    lines["task"] = task
    if !concepts.isEmpty { lines["concepts"] = concepts.joined(separator: ", ") }
    for (name, value) in parameters { lines[name] = value }
    let text = lines.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
    return [("Software", "pentimento"), ("parameters", text)]
  }
}
