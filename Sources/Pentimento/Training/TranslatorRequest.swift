import Editing
import Pictures

/// What a translation network is to learn, and from what.
public struct TranslatorRequest: Sendable {
  /// Pictures that show what the tasks begin with. The middle of each is taken, of the working size's aspect ratio.
  public var pictures: [any PictureSource]
  /// Further pictures that the model makes from the tasks' source prompts, in turn. Their latents are never decoded.
  public var generated = 0
  public var tasks: [Translator.Task]
  public var training = TranslatorTraining()
  /// Channels and residual blocks of the network.
  public var width = 64
  public var blocks = 6
  /// What guidance points away from; nil: the model's own rule.
  public var negativePrompt: String?
  /// One working size for all pictures; nil: the model's native square.
  public var size: WorkingSize.Request?
  /// Of the noise; nil: 42.
  public var seed: UInt64?

  public init(_ pictures: [any PictureSource], _ tasks: [Translator.Task]) {
    (self.pictures, self.tasks) = (pictures, tasks)
  }
}

/// Why a training cannot be run as it was asked for.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  case noTask
  /// The prompts of a task are one.
  case equalPrompts(String)
  case sameTask(Translator.Task)
  /// Nothing to learn from.
  case noPicture
  case networkSize(what: String, value: Int, allowed: String)
  case emptyPrompt

  public var description: String {
    switch self {
    case .noTask: "there is nothing to learn: give a task, a source and a target prompt"
    case .equalPrompts(let prompt):
      "a task from \"\(prompt)\" to \"\(prompt)\" changes nothing: give two prompts that differ"
    case .sameTask(let task): "the task \(task) is there twice: leave one out"
    case .noPicture:
      "there is no picture to learn from: name some, or let the model make some"
    case .networkSize(let what, let value, let allowed):
      "a network of \(what) \(value) cannot be trained: give \(allowed)"
    case .emptyPrompt: "a training needs a prompt that says something: describe what the picture shows"
    }
  }
}

extension TranslatorRequest {
  /// - Throws: `TrainingError`; `EditError.parameter`.
  func check() throws {
    guard !tasks.isEmpty else { throw TrainingError.noTask }
    for (i, task) in tasks.enumerated() {
      guard task.source != task.target else { throw TrainingError.equalPrompts(task.source) }
      if task.target.allSatisfy(\.isWhitespace) { throw TrainingError.emptyPrompt }
      if tasks[..<i].contains(task) { throw TrainingError.sameTask(task) }
    }
    guard !pictures.isEmpty || generated > 0 else { throw TrainingError.noPicture }
    guard (8...1024).contains(width), width % 8 == 0 else {
      throw TrainingError.networkSize(what: "width", value: width, allowed: "a multiple of 8 from 8 to 1024")
    }
    guard (1...64).contains(blocks) else {
      throw TrainingError.networkSize(what: "blocks", value: blocks, allowed: "1 to 64")
    }
    try training.validate()
  }
}
