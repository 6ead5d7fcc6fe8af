/// What the parser finds wrong, as one sentence with the cause and what the option takes.
enum ParserWords {
  /// - Parameters:
  ///   - message: the parser's, `The value 'abc' is invalid for '--steps <steps>'`, or a command's own.
  ///   - words: of the whole call.
  static func sentence(_ message: String, _ words: [String], table: CommandTable = .shared) -> String {
    let cause = message.replacing("\n", with: " ").uncapitalized
    guard let command = words.first.flatMap({ table[$0] }) else {
      return cause.hasNextStep ? cause : "\(cause); 'pentimento --help' lists the commands"
    }
    if cause.hasNextStep { return cause }
    if let option = command.options.last(where: { $0.isNamed(in: message) }) {
      return "\(cause): \(option.firstSentence.uncapitalized)"
    }
    return "\(cause); 'pentimento \(command.name) --help' says how it is used"
  }
}

extension OptionInfo {
  /// `'--steps <steps>'`, `'-o <file>'`, `'<input>'`
  fileprivate func isNamed(in message: String) -> Bool {
    let names = kind == .positional ? ["<\(valueName)>"] : spellings
    return names.contains { message.contains("'\($0) ") || message.contains("'\($0)'") }
  }

  fileprivate var firstSentence: String {
    let end = abstract.firstRange(of: ". ")?.lowerBound ?? abstract.endIndex
    let text = abstract[..<end]
    return String(text.hasSuffix(".") ? text.dropLast() : text)
  }
}

extension String {
  fileprivate var hasNextStep: Bool { contains(": ") || contains("; ") }

  /// Without the capital of a sentence's first word; that of a name stays.
  fileprivate var uncapitalized: String {
    guard let first, dropFirst().first.map({ $0.isLowercase || $0 == " " }) == true else { return self }
    return first.lowercased() + dropFirst()
  }
}
