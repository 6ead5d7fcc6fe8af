import Editing
import Pentimento

/// The manual page in troff, made from the tables that `--help` reads.
enum ManualPage {
  static func text(_ table: CommandTable = .shared) -> String {
    var lines = [
      ".TH PENTIMENTO 1 \"\" \"pentimento \(programVersion)\" \"User Commands\"", ".SH NAME",
      "pentimento \\- " + troff(PentimentoCommand.configuration.abstract),
      ".SH SYNOPSIS", ".B pentimento", ".I COMMAND", "\\&...",
    ]
    lines.append(".SH EXAMPLES")
    lines += examples(HelpExample.first)
    for command in table.commands { lines += section(command, beside: table) }
    lines += methods + otherPrograms + environment
    lines += [".SH EXIT STATUS", troff(ExitStatus.list)]
    return lines.joined(separator: "\n")
  }

  /// One command. What `edit` explains in the same words is named alone.
  private static func section(_ command: CommandInfo, beside table: CommandTable) -> [String] {
    var lines = [".SH \(command.name.uppercased())", ".B \(troff(HelpPage.usage(command)))", ".PP"]
    lines += paragraphs(command.abstract)
    lines += paragraphs(command.discussion)
    lines += entries(command.arguments)
    let edit = command.name == "edit" ? nil : table["edit"]
    var known: [String] = []
    func isNew(_ option: OptionInfo) -> Bool {
      let isKnown =
        edit?.options.contains { $0.name == option.name && $0.abstract == option.abstract } ?? false
      if isKnown, option.name != "help" { known.append(option.title) }
      return !isKnown
    }
    for section in HelpSection.placed(in: command) {
      let new = (section.first + section.others).filter(isNew)
      if !new.isEmpty { lines += [".SS \(troff(section.title))"] + entries(new) }
    }
    let settings = command.options.filter { $0.section == SettingOptions.title }.filter(isNew)
    if !settings.isEmpty { lines += [".SS \(SettingOptions.title)"] + entries(settings) }
    if !known.isEmpty {
      lines += [".PP", troff("As with edit: " + known.joined(separator: ", ") + ".")]
    }
    if command.name != "edit", let examples = HelpExample.all[command.name] {
      lines += [".SS Examples"] + self.examples(examples)
    }
    return lines
  }

  private static func entries(_ options: [OptionInfo]) -> [String] {
    options.flatMap { [".TP", ".B \(troff(HelpPage.term($0)))", troff(HelpPage.meaning($0))] }
  }

  private static func examples(_ examples: [HelpExample]) -> [String] {
    examples.flatMap {
      [".PP", troff($0.meaning + ":"), ".PP", ".nf", ".RS", troff($0.command), ".RE", ".fi"]
    }
  }

  private static func paragraphs(_ text: String) -> [String] {
    text.split(separator: "\n\n").flatMap { [".PP", troff(String($0))] }
  }

  private static var methods: [String] {
    [".SH METHODS"]
      + EditMethods.all.flatMap { method in
        let goals = method.about.goals.map(\.rawValue).joined(separator: ", ")
        return [
          ".TP", ".B \(troff(method.about.name))",
          troff(
            method.about.summary + (goals.isEmpty ? "" : " Good for \(goals).") + " \(method.about.paper)."),
        ]
      }
  }

  private static var otherPrograms: [String] {
    [
      ".SH WORDS OF OTHER PROGRAMS",
      troff("Options of A1111's web UI, stable-diffusion.cpp and diffusers, and what to use here:"),
    ]
      + OtherPrograms.options.flatMap {
        [".TP", ".B \(troff($0.names.joined(separator: ", ")))", troff($0.hint + ".")]
      }
  }

  private static var environment: [String] {
    [".SH ENVIRONMENT"]
      + [
        ("PENTIMENTO_MODEL", "The model where --model names none."),
        ("PENTIMENTO_ISA", "The instruction set of the kernels where --isa names none."),
        (
          "XDG_CACHE_HOME",
          "Where hashes and speeds that were measured once are kept, in the folder pentimento; else ~/.cache."
        ),
      ].flatMap { [".TP", ".B \(troff($0.0))", troff($0.1)] }
  }

  /// Text that troff shows as it is.
  static func troff(_ text: String) -> String {
    let plain = text.split(whereSeparator: { $0 == "\n" || $0 == " " }).joined(separator: " ")
    let escaped = plain.map { character -> String in
      switch character {
      case "\\": "\\e"
      case "-": "\\-"
      case "'": "\\(aq"
      case "`": "\\(ga"
      case "~": "\\(ti"
      case "^": "\\(ha"
      case "\"": "\\(dq"
      default: String(character)
      }
    }.joined()
    return escaped.hasPrefix(".") ? "\\&" + escaped : escaped
  }
}
