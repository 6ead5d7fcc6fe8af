import Editing
import Files
import Tensors

/// A trained translation network.
public struct TranslatorResult: Sendable {
  let values: [String: HostTensor]
  let description: TranslatorFile.Description
  public var report: TrainingReport

  /// Writes all or nothing.
  ///
  /// - Throws: `FileError`.
  public func write(to path: String) throws {
    let file = try PartialFile(path: path)
    try write(into: file)
    try file.commit()
  }

  /// Writes into a file that the caller puts in place, with others perhaps.
  package func write(into file: PartialFile) throws {
    try TranslatorFile.write(values, description, into: file)
  }
}

/// What a training was and what it took.
public struct TrainingReport: Sendable, Codable {
  /// "train-translator" or "train-lora".
  public var training: String
  public var model: String
  public var lora: [String]
  /// Every setting with the value used.
  public var parameters: [String: ReportedValue]
  public var tasks: [Translator.Task]?
  public var prompt: String?
  public var negativePrompt: String?
  /// Pictures that were given, and those that the model made.
  public var pictures: Int
  public var generated: Int?
  public var seed: UInt64
  public var generator: String
  /// Working size in pixels.
  public var width: Int
  public var height: Int
  /// Trained numbers.
  public var trained: Int
  /// Network evaluations, as planned and as done by this process.
  public var plannedEvaluations: Int
  public var evaluations: Int
  /// Passes forward and backward of the network that is trained, or that the trained values lie on.
  public var plannedGradients: Int
  public var gradients: Int
  /// One for every step.
  public var losses: [Double]
  public var threads: Int
  public var instructionSet: String
  /// Prompts that were longer than the model reads: the parts that were cut.
  public var cutPrompts: [String]
  public var plannedPeakBytes: Int
  /// As the kernel counted for this process.
  public var peakBytes: Int
  public var seconds: Double
}
