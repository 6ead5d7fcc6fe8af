/// The words of a command, told apart by its table as the parser tells them apart: for completions, and for a sentence
/// where the parser gives up.
struct GivenWords: Sendable {
  enum Word: Sendable {
    /// An option as it was typed, with its value; nil for a flag, and where the words end before the value.
    case option(OptionInfo, typed: String, value: String?)
    /// Typed like an option, and none of the command.
    case unknown(String)
    case argument(String)
  }

  private(set) var words: [Word] = []
  /// The option whose value would be the next word.
  private(set) var open: OptionInfo?
  /// No word is an option any more.
  private(set) var endsOptions = false

  /// - Parameter words: those after the command's name.
  init(_ words: [String], of command: CommandInfo) {
    for word in words { add(word, of: command) }
    // A value that is missing.
    if let open, !open.takesSeveral { self.words.append(.option(open, typed: open.title, value: nil)) }
  }

  private mutating func add(_ word: String, of command: CommandInfo) {
    let isLikeOption = word.hasPrefix("-") && word != "-" && !endsOptions
    if let option = open, option.takesAnyWord || !isLikeOption {
      words.append(.option(option, typed: option.title, value: word))
      if !option.takesSeveral { open = nil }
      return
    }
    open = nil
    guard isLikeOption else { return words.append(.argument(word)) }
    guard word != "--" else {
      endsOptions = true
      return
    }
    let typed = String(word.prefix { $0 != "=" })
    guard let option = command.option(typed) else { return addCluster(word, typed, of: command) }
    if option.kind == .flag { return words.append(.option(option, typed: typed, value: nil)) }
    guard typed.count < word.count else {
      open = option
      return
    }
    words.append(.option(option, typed: typed, value: String(word.dropFirst(typed.count + 1))))
  }

  /// `-qv` is `-q -v`.
  private mutating func addCluster(_ word: String, _ typed: String, of command: CommandInfo) {
    let flags = word.dropFirst().compactMap { command.option("-\($0)") }.filter { $0.kind == .flag }
    guard !word.hasPrefix("--"), flags.count == word.count - 1 else {
      return words.append(.unknown(typed))
    }
    words += flags.map { .option($0, typed: "-\($0.name)", value: nil) }
  }

  /// Options, flags and their values that were typed.
  var options: [(option: OptionInfo, typed: String, value: String?)] {
    words.compactMap { word in
      if case .option(let option, let typed, let value) = word { (option, typed, value) } else { nil }
    }
  }

  /// The last value of an option.
  func value(of name: String) -> String? { options.last { $0.option.name == name }?.value }
}
