/// Why a request cannot be run as it stands.
public enum RequestError: Error, Equatable, CustomStringConvertible {
  case unknownMethod(String, known: [String])
  case settingNotUsed(setting: String, method: String, takes: [String])
  /// `setting` is the raw value of a `Setting`.
  case settingIdle(setting: String, method: String, reason: String)
  case settingValue(setting: String, value: String, allowed: String)
  case inputNotUsed(input: String, method: String)
  case missingInput(input: String, method: String)
  case nothingToChoose
  case emptyPrompt(method: String)
  case concept(String, reason: String)
  case pictureSize(width: Int, height: Int, multiple: Int)
  /// Bytes of the whole process in that stage, the least that would do and what is allowed.
  case overBudget(stage: String, needed: Int, budget: Int)

  public var description: String {
    switch self {
    case .unknownMethod(let name, let known):
      "there is no method \"\(name)\": use \(choice(known.near(name), of: known))"
    case .settingNotUsed(let setting, let method, let takes):
      "\(method) has no use for --\(setting): it takes \(takes.map { "--\($0)" }.joined(separator: ", "))"
    case .settingIdle(let setting, let method, let reason):
      "\(method) has no use for --\(setting) \(reason): change that or leave the setting out"
    case .settingValue(let setting, let value, let allowed):
      "--\(setting) cannot be \(value): give \(allowed)"
    case .inputNotUsed(let input, let method):
      "\(method) has no use for \(input): leave it out"
    case .missingInput(let input, let method):
      "\(method) needs \(input): give one"
    case .nothingToChoose:
      "no method fits what was given: say with --prompt what the result shows, or name a --method"
    case .emptyPrompt(let method):
      "\(method) needs a prompt that says something: describe the result with --prompt"
    case .concept(let text, let reason):
      "the concept \"\(text)\" is not understood: \(reason); write for example \"+snow:7\" or "
        + "\"-glasses:5,threshold=0.9\""
    case .pictureSize(let width, let height, let multiple):
      "a working size of \(width)×\(height) does not fit this model: both sides must be multiples of \(multiple)"
    case .overBudget(let stage, let needed, let budget):
      "the stage \"\(stage)\" needs at least \((needed + 1_048_575) >> 20) MiB and \(budget >> 20) MiB are allowed: "
        + "use a smaller \(stage.hasSuffix("picture") ? "picture, a smaller --size" : "--size") or allow more with --max-ram"
    }
  }

  private func choice(_ near: [String], of known: [String]) -> String {
    near.isEmpty
      ? known.joined(separator: ", ")
      : "\(near.joined(separator: " or ")), or another that 'pentimento methods' lists"
  }
}
