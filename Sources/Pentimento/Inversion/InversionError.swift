import Editing

/// Why an inversion cannot be used, read or kept.
public enum InversionError: Error, Equatable, CustomStringConvertible {
  case differs(Difference)
  case notUsed(method: String, known: [String])
  case unreadable(file: String, reason: String)
  case cannotWrite(reason: String)

  /// What an inversion was made with, and what is asked for instead.
  public enum Difference: Sendable, Equatable {
    case model(made: String)
    case picture
    case size(made: String, asked: String)
    case seed(made: UInt64, asked: UInt64)
    case posterior(made: Posterior.Choice, asked: Posterior.Choice)
    case generator(made: String)
    case sourcePrompt(made: String, asked: String)
    case negativePrompt(made: String, asked: String)
    /// Of prompts that do not say the same in both.
    case promptSyntax(made: PromptSyntax, asked: PromptSyntax)
    /// Of embeddings that were tuned: how many contexts prompts may take.
    case contexts(made: Int, asked: Int)
  }

  public var description: String {
    switch self {
    case .differs(let what):
      "\(what.difference): \(what.remedy)"
    case .notUsed(let method, let known):
      "\(method) has no inversion that could be kept or used: use \(known.joined(separator: ", "))"
    case .unreadable(let file, let reason):
      "\(file) cannot be used as an inversion: \(reason)"
    case .cannotWrite(let reason):
      "the inversion was not kept: \(reason)"
    }
  }
}

extension InversionError.Difference {
  package var difference: String {
    switch self {
    case .model(let made): "the inversion was made with another model (\"\(made)\")"
    case .picture: "the inversion was made from another picture"
    case .size(let made, let asked):
      "the inversion was made at \(made) working pixels, \(asked) are asked for"
    case .seed(let made, let asked):
      "the inversion was made with seed \(made), \(asked) is asked for"
    case .posterior(let made, let asked):
      "the inversion was made of the posterior's \(made.rawValue), its \(asked.rawValue) is asked for"
    case .generator(let made):
      "the inversion was made with the noise generator \"\(made)\", which this program does not have"
    case .sourcePrompt(let made, let asked):
      "the inversion was made with the source prompt \"\(made)\", \"\(asked)\" is asked for"
    case .negativePrompt(let made, let asked):
      "the inversion was made with the negative prompt \"\(made)\", \"\(asked)\" is asked for"
    case .promptSyntax(let made, let asked):
      "the inversion was made of prompts that are \(made.rawValue), and they say something else if they are "
        + "\(asked.rawValue)"
    case .contexts(let made, let asked):
      "the inversion was tuned for prompts of \(made) \(made == 1 ? "context" : "contexts"), and those of the edit take "
        + "\(asked)"
    }
  }

  /// In the words of a request.
  fileprivate var remedy: String {
    switch self {
    case .model: "use the same model with the same LoRA files, or invert again"
    case .picture: "give that one or none, or invert again"
    case .size: "ask for the size that it was made at, or invert again"
    case .seed: "ask for that seed, or invert again"
    case .posterior: "ask for the same, or invert again"
    case .generator: "invert again"
    case .sourcePrompt, .negativePrompt: "give that one or none, or invert again"
    case .promptSyntax: "ask for the same syntax, or invert again"
    case .contexts: "give shorter prompts, or invert again with a prompt as long"
    }
  }
}
