import Editing
import Packing
import Pentimento
import WeightStorage

/// An error in the words of the command: what the library calls parts of a request are its options, and only the
/// command knows for which of its methods an option is.
func sentence(for error: any Error) -> String {
  switch error {
  case let error as RequestError: error.sentence
  case let error as SettingError: error.sentence
  case InversionError.differs(let what): "\(what.difference): \(what.remedy)"
  case EditError.parameter(let method, let name, let value, let allowed):
    "\(EditError.parameter(method: method, name: option(name), value: value, allowed: allowed))"
  case EditError.inversionMade(let name, let made, let asked):
    "\(EditError.inversionMade(with: option(name), made: made, asked: asked))"
  case JournalError.differs(let file, let difference):
    "\(JournalError.differs(file: file, difference.inOptions))"
  case EditError.emptyPrompt(let method):
    "\(method) needs a prompt that says something: describe the result with --prompt"
  case TrainingError.noTask: "\(error) (--task)"
  case TrainingError.noPicture: "\(error) (--generate)"
  case WeightFileError.unusualShapes: "\(error) (--config)"
  case WeightFileError.lacksNetworks(_, let networks):
    "\(error); \(networks.map(option(ofNetwork:)).joined(separator: " and ")) "
      + (networks.count == 1 ? "takes one" : "take them")
  case WeightFileError.loneNetwork(_, let network): "\(error) (\(option(ofNetwork: network)))"
  case WeightFileError.notAWholeModel(_, let reason) where reason.contains("a LoRA"): "\(error) (--lora)"
  case LoRAError.notALoRA: "\(error); a model goes to --model"
  case ModelLocationError.notFound(let searched):
    "no model was found in \(searched.joined(separator: " or ")): name one with --model or in PENTIMENTO_MODEL"
  case let error as MaskNotMade: "\(error)" + advice("it", methods { EditRequest().hasMask(with: $0) })
  default: "\(error)"
  }
}

/// A parameter as the command says it, where it can be set.
private func option(_ name: String) -> String {
  EditMethods.all.options.contains(name) || trainingOptions.contains(name) ? "--\(name)" : name
}

/// The option that names a network's own file: `--text-encoder-2` of `text_encoder_2`.
private func option(ofNetwork network: String) -> String { "--\(network.replacing("_", with: "-"))" }

/// What trainings can be told.
private let trainingOptions = LoRAOptions.declaredNames.union(LearningOptions.declaredNames).union(
  TrainTranslatorCommand.declaredNames)

/// "; --strength is for --method sdedit"
private func advice(_ option: String, _ methods: [String]) -> String {
  methods.isEmpty ? "" : "; \(option) is for --method " + methods.joined(separator: ", ")
}

private func methods(_ isMeant: (EditMethod) -> Bool) -> [String] {
  EditMethods.all.map { EditMethod($0) }.filter(isMeant).map(\.name)
}

extension SettingError {
  fileprivate var sentence: String {
    switch self {
    case .value(let setting, let value, let allowed):
      "--\(setting) cannot be \(value): " + advice(allowed, insteadOf: value)
    case .notUsed(let setting, let method, let takes):
      "\(method) has no use for --\(setting): it takes \(takes.map { "--\($0)" }.joined(separator: ", "))"
        + advice(
          "--\(setting)", EditMethods.all.filter { $0.options.contains(setting) }.map { $0.about.name })
    case .idle(let setting, let method, let reason):
      "\(method) has no use for --\(setting) \(reason): change that or leave the setting out"
    case .contradicts(let setting, let other):
      "--\(setting) and --\(other) say different things: give one of them"
    }
  }
}

/// "give paper or quick", or which of them was perhaps meant.
private func advice(_ allowed: String, insteadOf value: String) -> String {
  let words = allowed.split(separator: " or ").map(String.init)
  let near = words.count > 1 ? words.near(String(value.filter { $0 != "\"" })) : []
  return near.isEmpty ? "give \(allowed)" : "did you mean \(near.alternatives)? (\(words.alternatives))"
}

extension RequestError {
  fileprivate var sentence: String {
    switch self {
    case .unknownMethod(let name, let known):
      description + (known.near(name).isEmpty ? "" : ", or another that 'pentimento methods' lists")
    case .settingValue(let setting, let value, let allowed):
      "--\(setting) cannot be \(value): give \(allowed)"
    case .noWeight: "\(description), or one that 'pentimento inspect MODEL --tensors' lists"
    case .inputNotUsed(let input, let method):
      "\(method) has no use for \(input.option): leave it out"
        + advice("it", methods { input.isUsed(by: $0) })
    case .missingInput(let input, let method):
      "\(method) needs \(input.option): give one"
    case .nothingToChoose:
      "no method fits what was given: say with --prompt what the result shows, or name a --method"
    case .int8Idle(let reason):
      "--compare-int8 has nothing to compare, since \(reason): leave it out"
    case .featherIdle:
      "--feather softens where the original is put back: give a --mask and no --no-paste-back"
    case .pasteBackWithoutPicture:
      "what lies outside the mask is put back from the picture: name it with --image, or give --no-paste-back"
    case .overBudget(let stage, let needed, let budget, let source, let halves):
      // What the program itself takes differs by some hundred kilobytes from start to start.
      "the stage \"\(stage)\" needs at least \((needed + 1_000_000).megabytesUp) MB and \(budget.megabytesDown) MB "
        + "\(source.allows): use a smaller "
        + "\(stage.hasSuffix("picture") ? "picture, a smaller --size" : "--size") or \(source.remedy)"
        + (halves.map { "; --precision f16 needs \(($0 + 1_000_000).megabytesUp) MB" } ?? "")
    case .pictureSize, .promptWeight:
      description
    }
  }
}

extension RequestInput {
  /// Whether a method has a use for it.
  fileprivate func isUsed(by method: EditMethod) -> Bool {
    let taken = method.about.needs + method.about.accepts
    switch self {
    case .picture: return taken.contains(.image)
    case .sourcePrompt: return taken.contains(.sourcePrompt)
    case .prompt: return taken.contains(.targetPrompt)
    case .mask: return taken.contains(.mask)
    case .points: return taken.contains(.points)
    case .concepts: return taken.contains(.concepts)
    case .learning: return taken.contains(.lora)
    case .translator, .task: return taken.contains(.translator)
    case .foundMask:
      var request = EditRequest()
      request.findsMask = true
      return request.obeysMask(with: method)
    }
  }

  /// With the option that gives it.
  fileprivate var option: String {
    switch self {
    case .picture: "a picture (--image)"
    case .sourcePrompt: "a source prompt (--source-prompt, \"\" is allowed)"
    case .prompt: "a prompt (--prompt)"
    case .mask: "a mask (--mask)"
    case .points: "points (--drag x0,y0:x1,y1)"
    case .concepts: "a concept (--concept \"+snow\")"
    case .translator: "a translator (--translator)"
    case .task: "--task"
    case .learning: "--lora-steps"
    case .foundMask: "--mask auto"
    }
  }
}

extension MemoryLimit.Source {
  fileprivate var remedy: String {
    switch self {
    case .caller: "allow more with --max-ram"
    case .controlGroup: "raise the limit of the group"
    case .machine: "free some memory"
    case .addressSpace: "raise its limit (ulimit -v)"
    }
  }
}

extension JournalError.Difference {
  /// As the command says it, where an option does.
  fileprivate var inOptions: Self {
    // Another picture or mask is not told by what it is.
    guard made != asked else { return self }
    var difference = self
    func flag(_ option: String, isGivenFor value: String) {
      difference.what = option
      difference.made = made == value ? "given" : "left out"
      difference.asked = asked == value ? "given" : "left out"
    }
    switch what {
    case "prompt", "source prompt", "negative prompt", "prompt syntax", "seed", "task", "attention",
      "precision":
      difference.what = "--" + what.replacing(" ", with: "-")
    case "concepts": difference.what = "--concept"
    case "points": difference.what = "--drag"
    case "tasks": difference.what = "--task"
    case "kept inversion": flag("--save-inversion", isGivenFor: "true")
    case "warms-up-guidance": flag("--no-guidance-warmup", isGivenFor: "false")
    case "keeps-identity": flag("--no-identity", isGivenFor: "false")
    case "subtracts-source": flag("--no-source", isGivenFor: "false")
    default: difference.what = option(what.hasPrefix("list of ") ? String(what.dropFirst(8)) : what)
    }
    return difference
  }
}

extension InversionError.Difference {
  fileprivate var remedy: String {
    switch self {
    case .model: "give the same --model and --lora, or invert again"
    case .picture: "give that one, leave --image out, or invert again"
    case .size: "leave --size out, or invert again"
    case .seed: "leave --seed out, or invert again"
    case .posterior: "leave --posterior out, or invert again"
    case .generator: "invert again"
    case .sourcePrompt: "leave --source-prompt out, or invert again"
    case .negativePrompt: "leave --negative-prompt out, or invert again"
    case .promptSyntax: "leave --prompt-syntax out, or invert again"
    case .contexts: "give shorter prompts, or invert again with a --source-prompt as long"
    }
  }
}
