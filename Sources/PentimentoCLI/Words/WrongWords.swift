/// Why the words of a command are none that it takes, in a sentence that names what was perhaps meant.
struct WrongWords: Error, CustomStringConvertible {
  var description: String

  private init(_ description: String) { self.description = description }

  /// Nil where the table finds nothing wrong with the words.
  ///
  /// - Parameter words: all of the call, the command's name first.
  init?(_ words: [String], table: CommandTable = .shared) {
    guard let name = words.first else { return nil }
    guard name != "help" else {
      guard words.count == 2, table[words[1]] == nil else { return nil }
      self = Self.command(words[1], table)
      return
    }
    guard let command = table[name] else {
      self = name.hasPrefix("-") ? Self.option(beforeCommand: name, table) : Self.command(name, table)
      return
    }
    let given = GivenWords(Array(words.dropFirst()), of: command)
    for word in given.words {
      switch word {
      // A number where the parser missed another word: it says which.
      case .unknown(let number) where Double(number) != nil: continue
      case .unknown(let option): self = Self.option(option, of: command, table)
      case .option(let option, let typed, let value?):
        guard !option.values.isEmpty, !option.values.contains(value) else { continue }
        self = Self.value(value, of: option, typed: typed)
      case .argument(let word) where command.arguments.isEmpty: self = Self.argument(word, of: command)
      case .option, .argument: continue
      }
      return
    }
    return nil
  }

  /// An option that is no list and is given twice; nil where there is none.
  init?(givenTwiceIn words: [String], table: @autoclosure () -> CommandTable = .shared) {
    guard Self.mayRepeat(words), let name = words.first, let command = table()[name] else { return nil }
    var seen: Set<String> = []
    for (option, typed, _) in GivenWords(Array(words.dropFirst()), of: command).options
    where option.kind == .option && !option.isRepeating && !option.takesSeveral {
      guard seen.insert(option.name).inserted else {
        self.init("\(typed) is given twice: give it once")
        return
      }
    }
    return nil
  }

  /// Whether an option may be there twice, told without the table: an ordinary call is spared the megabytes that it takes.
  private static func mayRepeat(_ words: [String]) -> Bool {
    let typed = words.filter { $0.hasPrefix("-") }.map { String($0.prefix { $0 != "=" }) }
    let single = typed.filter { !lists.contains($0) }
    if Set(single).count < single.count || !otherNames.isDisjoint(with: typed) { return true }
    // A short name beside a long one of its letter, as -p and --prompt.
    let short = Set(typed.filter { $0.count == 2 }.compactMap { $0.last?.lowercased() })
    return typed.contains { $0.hasPrefix("--") && short.contains($0.dropFirst(2).prefix(1).lowercased()) }
  }

  /// Options that may be repeated, and are in ordinary calls.
  private static let lists: Set = ["--concept", "--lora", "--rule", "--keep", "--task"]

  /// Second long names of options; a test finds those that are missing here.
  private static let otherNames: Set = [
    "--input", "--init-img", "--neg-prompt", "--output-path", "--num-inference-steps", "--guidance-scale", "--cfg",
    "--denoising-strength", "--lr",
  ]

  /// A word without an option before it, of a command that takes none.
  private static func argument(_ word: String, of command: CommandInfo) -> Self {
    let advice = command.option("--image") == nil ? "leave it out" : "a picture is named with --image"
    return Self("\(command.name) has no use for the word \"\(word)\": \(advice)")
  }

  /// An option where the command should be.
  private static func option(beforeCommand typed: String, _ table: CommandTable) -> Self {
    let lack = "pentimento has no option \(typed)"
    let others = table.commands(taking: String(typed.prefix { $0 != "=" })).map { "'pentimento \($0.name)'" }
    if !others.isEmpty { return Self("\(lack): it is one of \(others.alternatives)") }
    let near = ["--help", "--version"].near(typed)
    return Self("\(lack): \(near.isEmpty ? "name a command first" : "did you mean \(near.alternatives)?")")
  }

  /// A command that there is none of.
  private static func command(_ name: String, _ table: CommandTable) -> Self {
    let names = table.names + ["help"]
    let near = names.near(name)
    if !near.isEmpty { return Self("there is no command \"\(name)\": did you mean \(near.alternatives)?") }
    if let hint = OtherPrograms.hint(command: name) {
      return Self("there is no command \"\(name)\": \(hint)")
    }
    return Self("there is no command \"\(name)\": use \(names.joined(separator: ", "))")
  }

  /// An option that the command does not have.
  private static func option(_ typed: String, of command: CommandInfo, _ table: CommandTable) -> Self {
    let lack = "\(command.name) has no option \(typed)"
    if let setting = settingElsewhere(typed, of: command) { return Self(setting) }
    if OtherPrograms.modelOptions.contains(typed), ["inspect", "quantize", "compare"].contains(command.name) {
      return Self("\(lack): the model is named without one, 'pentimento \(command.name) FILE'")
    }
    let others = table.commands(taking: typed).map { "'pentimento \($0.name)'" }
    if let hint = OtherPrograms.hint(option: typed, of: command) { return Self("\(lack): \(hint)") }
    if !others.isEmpty { return Self("\(lack): it is one of \(others.alternatives)") }
    let near = command.spellings(near: typed)
    guard near.isEmpty else { return Self("\(lack): did you mean \(near.alternatives)?") }
    for other in table.commands {
      guard let meant = other.spellings(near: typed).first else { continue }
      return Self("\(lack): did you mean \(meant) of 'pentimento \(other.name)'?")
    }
    return Self("\(lack): 'pentimento \(command.name) --help-all' lists those that it has")
  }

  /// A setting that only methods of another command take.
  ///
  /// - Returns: nil for anything else.
  static func settingElsewhere(_ typed: String, of command: CommandInfo) -> String? {
    let name = String(typed.drop { $0 == "-" })
    let takers = EditSettings.takers(of: name)
    guard typed.hasPrefix("--"), !takers.isEmpty, command.option(typed) == nil,
      !command.methods.contains(where: { $0.options.contains(name) })
    else { return nil }
    return
      "\(command.name) has no use for \(typed): it is for 'pentimento edit --method \(takers.alternatives)'"
  }

  /// A value that is none of the few that an option takes.
  private static func value(_ value: String, of option: OptionInfo, typed: String) -> Self {
    let all = option.values.alternatives
    let near = option.values.near(value)
    let advice = near.isEmpty ? "give \(all)" : "did you mean \(near.alternatives)? (\(all))"
    if let hint = OtherPrograms.hint(value: value, of: option) {
      return Self("\(typed) cannot be \"\(value)\": give \(all); \(hint)")
    }
    return Self("\(typed) cannot be \"\(value)\": \(advice)")
  }
}

extension CommandInfo {
  /// Long options that are spelt nearly so. The dashes do not count.
  fileprivate func spellings(near typed: String) -> [String] {
    func plain(_ option: String) -> String { String(option.drop { $0 == "-" }) }
    return spellings.filter { $0.hasPrefix("--") }.map(plain).near(plain(typed)).map { "--\($0)" }
  }
}

/// Settings of the methods by name.
enum EditSettings {
  /// Names of the methods that take one.
  static func takers(of setting: String) -> [String] {
    SettingOptions.takers(of: setting).map { $0.about.name }
  }
}

extension [String] {
  /// "a, b or c"
  var alternatives: String {
    guard let last, count > 1 else { return first ?? "" }
    return dropLast().joined(separator: ", ") + " or " + last
  }
}
