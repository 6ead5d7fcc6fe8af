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
    case generator(made: String)
    case sourcePrompt(made: String, asked: String)
    case negativePrompt(made: String, asked: String)
  }

  public var description: String {
    switch self {
    case .differs(.model(let made)):
      "the inversion was made with another model (\"\(made)\"): give the same --model and --lora, or invert again"
    case .differs(.picture):
      "the inversion was made from another picture: give that one, leave --image out, or invert again"
    case .differs(.size(let made, let asked)):
      "the inversion was made at \(made) working pixels, \(asked) are asked for: leave --size out, or invert again"
    case .differs(.seed(let made, let asked)):
      "the inversion was made with seed \(made), \(asked) is asked for: leave --seed out, or invert again"
    case .differs(.generator(let made)):
      "the inversion was made with the noise generator \"\(made)\", which this program does not have: invert again"
    case .differs(.sourcePrompt(let made, let asked)):
      "the inversion was made with the source prompt \"\(made)\", \"\(asked)\" is asked for: "
        + "leave --source-prompt out, or invert again"
    case .differs(.negativePrompt(let made, let asked)):
      "the inversion was made with the negative prompt \"\(made)\", \"\(asked)\" is asked for: "
        + "leave --negative-prompt out, or invert again"
    case .notUsed(let method, let known):
      "\(method) has no inversion that could be kept or used: use \(known.joined(separator: ", "))"
    case .unreadable(let file, let reason):
      "\(file) cannot be used as an inversion: \(reason)"
    case .cannotWrite(let reason):
      "the inversion was not kept: \(reason)"
    }
  }
}
