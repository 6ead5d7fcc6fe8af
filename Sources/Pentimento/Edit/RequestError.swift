/// Why a request cannot be run as it stands.
///
/// The sentences speak of the request; a command that has options for its parts says it in their words.
public enum RequestError: Error, Equatable, CustomStringConvertible {
  case unknownMethod(String, known: [String])
  /// Of something beside the methods' settings.
  case settingValue(setting: String, value: String, allowed: String)
  /// Of a rule for quantizing.
  case noWeight(named: String)
  case inputNotUsed(input: RequestInput, method: String)
  case missingInput(input: RequestInput, method: String)
  case nothingToChoose
  case pictureSize(width: Int, height: Int, multiple: Int)
  /// The edge of a mask is to be softened where nothing is put back outside of one.
  case featherIdle
  /// A prompt gives a part of it so much weight that a network's sums may run over.
  case promptWeight(text: String, weight: Double, limit: Double)
  /// What lies outside the mask is to be put back and there is no picture to take it from.
  case pasteBackWithoutPicture
  /// An edit is to be compared with itself in int8 and does not differ.
  case int8Idle(reason: String)
  /// Bytes of the whole process in that stage: the least that would do, and what is allowed; and the least for all stages
  /// with pictures kept in halves (`ActivationPrecision.f16`), where that is less.
  case overBudget(
    stage: String, needed: Int, budget: Int, limitedBy: MemoryLimit.Source = .caller, inHalves: Int? = nil)

  public var description: String {
    switch self {
    case .unknownMethod(let name, let known):
      "there is no method \"\(name)\": use \(choice(known.near(name), of: known))"
    case .settingValue(let setting, let value, let allowed):
      "the setting \(setting) cannot be \(value): give \(allowed)"
    case .noWeight(let pattern):
      "no weight has \"\(pattern)\" in its name: give a part of one, as unet.mid_block"
    case .inputNotUsed(let input, let method):
      "\(method) has no use for \(input.words): leave it out"
    case .missingInput(let input, let method):
      "\(method) needs \(input.words): give one"
    case .nothingToChoose:
      "no method fits what was given: say in the prompt what the result shows, or name a method"
    case .pictureSize(let width, let height, let multiple):
      "a working size of \(width)×\(height) does not fit this model: both sides must be multiples of \(multiple)"
    case .featherIdle:
      "a mask is softened where the picture is put back outside of it: give a mask and put the picture back, or no "
        + "feathering"
    case .pasteBackWithoutPicture:
      "what lies outside the mask is put back from the picture: give it, or do not put it back"
    case .int8Idle(let reason):
      "there is nothing to compare with int8, since \(reason): leave the comparison out"
    case .promptWeight(let text, let weight, let limit):
      "\"\(text)\" has a weight of \(weight) in the prompt: give it one from -\(Int(limit)) to \(Int(limit))"
    case .overBudget(let stage, let needed, let budget, let source, let halves):
      "the stage \"\(stage)\" needs at least \(needed.megabytesUp) MB and "
        + "\(budget.megabytesDown) MB \(source.allows): "
        + "use a smaller \(stage.hasSuffix("picture") ? "picture, a smaller working size" : "working size"), or "
        + source.remedy
        + (halves.map { ", or keep pictures in halves, which needs \($0.megabytesUp) MB" } ?? "")
    }
  }

  private func choice(_ near: [String], of known: [String]) -> String {
    near.isEmpty ? known.joined(separator: ", ") : near.joined(separator: " or ")
  }
}

/// A part of a request that a method may need, or have no use for.
public enum RequestInput: String, Sendable, CaseIterable {
  case picture, sourcePrompt, prompt, mask, points, concepts, translator, task
  /// A LoRA that is trained before the edit.
  case learning
  /// A mask that the method finds.
  case foundMask

  var words: String {
    switch self {
    case .picture: "a picture"
    case .sourcePrompt: "a source prompt, which may be empty"
    case .prompt: "a prompt"
    case .mask: "a mask"
    case .points: "points to drag"
    case .concepts: "a concept"
    case .translator: "a translator"
    case .task: "a task of a translator"
    case .learning: "a LoRA that is trained first"
    case .foundMask: "a mask that is to be found"
    }
  }
}

extension MemoryLimit.Source {
  /// "63 MB … ": whose word it is.
  package var allows: String {
    switch self {
    case .caller: "are allowed"
    case .controlGroup: "are allowed by the control group of this process"
    case .machine: "can be had on this machine"
    case .addressSpace: "are left of the address space that this process may have"
    }
  }

  /// What gives more.
  fileprivate var remedy: String {
    switch self {
    case .caller: "allow more memory"
    case .controlGroup: "raise the limit of the group"
    case .machine: "free some memory"
    case .addressSpace: "raise its limit (ulimit -v)"
    }
  }
}

extension Int {
  /// 10⁶ bytes: of a need, as many as suffice.
  package var megabytesUp: Int { (self + 999_999) / 1_000_000 }
  /// Of an allowance, as many as there are.
  package var megabytesDown: Int { self / 1_000_000 }
}
