import Editing

/// What `--help` and `--help-all` say, made from the table of commands.
enum HelpPage {
  /// Of the program: what it does, what most people need, examples, the other commands.
  static func program(_ table: CommandTable = .shared, _ layout: TextLayout = .here) -> String {
    func rows(_ names: [String]) -> String {
      names.compactMap { table[$0] }.map { layout.entry($0.name, $0.abstract, column: 20) }
        .joined(separator: "\n")
    }
    let first = ["edit", "generate", "methods"]
    return [
      layout.paragraphs(PentimentoCommand.configuration.abstract),
      "Usage: pentimento COMMAND …; pentimento COMMAND --help explains one",
      "What most people need:\n" + rows(first),
      "Examples, which work as they stand:\n" + examples(HelpExample.first, layout),
      "Other commands:\n" + rows(table.names.filter { !first.contains($0) }),
      layout.paragraphs(PentimentoCommand.configuration.discussion),
    ].joined(separator: "\n\n")
  }

  /// Of a command.
  ///
  /// - Parameter all: explains every option; else those that everyone needs, and the others by their names, where there
  ///   are so many that it matters.
  static func command(_ command: CommandInfo, all: Bool, _ layout: TextLayout = .here) -> String {
    let isShort = !all && command.options.count > 16
    var parts = [layout.paragraphs(command.abstract), "Usage: \(usage(command))"]
    if !command.arguments.isEmpty {
      parts.append("Arguments:\n" + entries(command.arguments, layout))
    }
    let examples = HelpExample.all[command.name] ?? []
    if isShort, !examples.isEmpty { parts.append(self.examples(of: command, examples, layout)) }
    var named: [String] = []
    for (title, first, others) in HelpSection.placed(in: command) {
      let explained = isShort ? first : first + others
      if !explained.isEmpty { parts.append("\(title):\n" + entries(explained, layout)) }
      if isShort, !others.isEmpty {
        named.append(layout.entry(title, others.map(\.title).joined(separator: " ")))
      }
    }
    if !named.isEmpty {
      parts.append("Further options, which --help-all explains:\n" + named.joined(separator: "\n"))
    }
    if let settings = settings(command, isShort: isShort, layout) { parts.append(settings) }
    if !isShort, !examples.isEmpty { parts.append(self.examples(of: command, examples, layout)) }
    if !command.discussion.isEmpty { parts.append(layout.paragraphs(command.discussion)) }
    return parts.joined(separator: "\n\n")
  }

  /// `pentimento quantize INPUT OUTPUT --weights <weights> [options]`
  static func usage(_ command: CommandInfo) -> String {
    let arguments = command.arguments.map { argument in
      let name = argument.title + (argument.isRepeating ? "…" : "")
      return argument.isOptional ? "[\(name)]" : name
    }
    let needed = command.options.filter { $0.kind == .option && !$0.isOptional }
    return
      (["pentimento", command.name] + arguments + needed.map { "\($0.title) <\($0.valueName)>" } + [
        "[options]"
      ])
      .joined(separator: " ")
  }

  /// How an option is typed: `-i, --image, --input <image>`.
  static func term(_ option: OptionInfo) -> String {
    guard option.kind != .positional else { return option.title }
    let names = (option.spellings + option.opposites).joined(separator: ", ")
    return option.kind == .flag ? names : "\(names) <\(option.valueName)>"
  }

  /// What it means, which values it takes, and what holds without it.
  static func meaning(_ option: OptionInfo) -> String {
    var notes: [String] = []
    if !option.values.isEmpty, !option.valueName.contains("|") {
      notes.append("values: \(option.values.joined(separator: ", "))")
    }
    if let standard = option.standard, !option.abstract.contains("(default: ") {
      notes.append("default: \(standard)")
    }
    return option.abstract + (notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))")
  }

  private static func entries(_ options: [OptionInfo], _ layout: TextLayout) -> String {
    options.map { layout.entry(term($0), meaning($0)) }.joined(separator: "\n")
  }

  private static func examples(_ examples: [HelpExample], _ layout: TextLayout) -> String {
    examples.map { "  # \($0.meaning)\n  \($0.command)" }.joined(separator: "\n")
  }

  private static func examples(of command: CommandInfo, _ examples: [HelpExample], _ layout: TextLayout)
    -> String
  {
    let needsPicture = examples.contains { $0.command.contains(" -i \(HelpExample.picture)") }
    return "Examples\(needsPicture ? " (\(HelpExample.picture) is any picture)" : ""):\n"
      + self.examples(examples, layout)
  }

  private static func settings(_ command: CommandInfo, isShort: Bool, _ layout: TextLayout) -> String? {
    let settings = command.options.filter { $0.section == SettingOptions.title }
    guard !settings.isEmpty else { return nil }
    guard isShort else { return "\(SettingOptions.title):\n" + entries(settings, layout) }
    // Those that most of its methods take.
    let usual = settings.filter { setting in
      2 * command.methods.count { $0.options.contains(setting.name) } > command.methods.count
    }
    let goals = command.methods.contains { !$0.about.goals.isEmpty }
    return layout.paragraphs(
      "\(SettingOptions.title) (\(usual.map(\.title).joined(separator: ", ")), …): 'pentimento methods NAME' explains "
        + "those of one, \(goals ? "'pentimento methods --for GOAL' lists methods by what they are good for, " : "")"
        + "and --help-all explains all.")
  }
}
