import Editing
import Pentimento

/// What the last word of an unfinished command may become.
struct Completing: Sendable {
  /// Words and what each means.
  private(set) var words: [(word: String, meaning: String)] = []
  /// Files with these endings; an empty list: all of them.
  private(set) var files: [String]?
  private(set) var takesFolders = false

  /// - Parameter words: those after the program's name; the last one is unfinished and may be empty.
  init(_ words: [String], table: CommandTable = .shared) {
    guard let last = words.last else { return }
    let commands = table.commands.map { (word: $0.name, meaning: $0.abstract) }
    let help = (word: "help", meaning: "Explain a command.")
    if words.count == 1 || (words.count == 2 && words[0] == "help") {
      let options = [("--help", "What most people need."), ("--version", "Which program this is.")]
      self.words = (words.count == 1 ? commands + [help] : commands).filter { $0.word.hasPrefix(last) }
      if last.hasPrefix("-"), words.count == 1 { self.words = options.filter { $0.0.hasPrefix(last) } }
      return
    }
    guard let command = table[words[0]] else { return }
    let given = GivenWords(Array(words[1..<(words.count - 1)]), of: command)
    let isLikeOption = last.hasPrefix("-") && !given.endsOptions
    if let option = given.open, option.takesAnyWord || !isLikeOption {
      complete(last, to: option, given)
    } else if isLikeOption, let sign = last.firstIndex(of: "=") {
      guard let option = command.option(String(last[..<sign])) else { return }
      complete(String(last[last.index(after: sign)...]), to: option, given)
      self.words = self.words.map { (last[...sign] + $0.word, $0.meaning) }
    } else if isLikeOption {
      self.words = Self.options(of: command, given).filter { $0.word.hasPrefix(last) }
    } else if !command.arguments.isEmpty {
      let count = given.words.count { if case .argument = $0 { true } else { false } }
      let arguments = command.arguments
      guard count < arguments.count || arguments.last!.isRepeating else { return }
      complete(last, to: arguments[min(count, arguments.count - 1)], given)
    }
  }

  private mutating func complete(_ start: String, to option: OptionInfo, _ given: GivenWords) {
    switch option.completion {
    case .nothing: break
    case .files(let endings): files = endings
    case .folders: takesFolders = true
    case .words(let all):
      var all = all
      // Those of the chosen method.
      if option.name == MethodPreset.option, let method = Self.method(given) {
        all = method.presets.map(\.name)
      }
      words = all.filter { $0.hasPrefix(start) }.map {
        ($0, option.isMethod ? EditMethods.all.named($0)?.about.summary ?? "By what was given." : "")
      }
    }
  }

  /// Options that may still be given, without the settings of other methods than the chosen one.
  private static func options(of command: CommandInfo, _ given: GivenWords) -> [(
    word: String, meaning: String
  )] {
    let used = Set(given.options.filter { !$0.option.isRepeating }.map(\.option.name))
    let chosen = method(given).map { Set($0.options) }
    return command.options.filter { option in
      guard option.kind != .positional, !used.contains(option.name) else { return false }
      guard let chosen, option.section == SettingOptions.title else { return true }
      return chosen.contains(option.name)
    }.flatMap { option in
      (option.spellings.prefix { $0.count == 2 } + ["--\(option.name)"] + option.opposites).map {
        ($0, option.abstract)
      }
    }
  }

  private static func method(_ given: GivenWords) -> (any EditingMethod.Type)? {
    given.value(of: "method").flatMap { EditMethods.all.named($0) }
  }

  /// As the scripts of the shells read it: a line that begins with a colon for files, or lines of a word, a tab and what it
  /// means.
  var rows: [[String]] {
    if let files { return [[([":files"] + files).joined(separator: " ")]] }
    if takesFolders { return [[":folders"]] }
    return words.map { word, meaning in
      // Up to the first full stop.
      [word, meaning.split(separator: ". ", maxSplits: 1).first.map(String.init) ?? ""]
    }
  }
}

extension OptionInfo {
  /// Whether its values are names of methods.
  fileprivate var isMethod: Bool { completion == .words(EditMethods.all.names) || name == "method" }
}
