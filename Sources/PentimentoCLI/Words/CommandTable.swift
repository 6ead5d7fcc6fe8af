import Editing
import FoundationEssentials

/// The commands and their options as they are declared: what help, the manual, completions and the sentences on wrong
/// words read.
///
/// The parser writes its declarations as JSON; this is what is kept of it. A command is left with the settings that a method
/// of its own takes, each in the words of these methods.
struct CommandTable: Sendable {
  /// Those for people, in the order in which they are declared.
  var commands: [CommandInfo]

  /// Read once.
  static let shared = CommandTable()

  private init() {
    struct Tool: Decodable {
      struct Root: Decodable { var subcommands: [CommandInfo] }
      var command: Root
    }
    let text = PentimentoCommand._dumpHelp()
    guard let tool = try? JSONDecoder().decode(Tool.self, from: Data(text.utf8)) else {
      preconditionFailure("the parser describes its commands in another way")
    }
    // The parser has added its own command.
    commands = tool.command.subcommands.filter { $0.isShown && $0.name != "help" }.map(\.ownOptionsAlone)
  }

  /// Of the commands; "help" is one more.
  var names: [String] { commands.map(\.name) }

  subscript(name: String) -> CommandInfo? { commands.first { $0.name == name } }

  /// Commands that have an option of that name, as it is typed.
  func commands(taking name: String) -> [CommandInfo] { commands.filter { $0.option(name) != nil } }
}

/// A command and what it takes.
struct CommandInfo: Decodable, Sendable {
  var name: String
  var abstract: String
  /// Paragraphs, with empty lines between them.
  var discussion: String
  /// In the order of their declarations.
  var options: [OptionInfo]
  fileprivate var isShown: Bool

  private enum Key: String, CodingKey { case commandName, abstract, discussion, arguments, shouldDisplay }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    name = try fields.decode(String.self, forKey: .commandName)
    abstract = try fields.decodeIfPresent(String.self, forKey: .abstract) ?? ""
    discussion = try fields.decodeIfPresent(String.self, forKey: .discussion) ?? ""
    isShown = try fields.decodeIfPresent(Bool.self, forKey: .shouldDisplay) ?? true
    let all = try fields.decodeIfPresent([OptionInfo].self, forKey: .arguments) ?? []
    options = []
    for option in all where !["version", "experimental-dump-help"].contains(option.name) {
      // A flag and its opposite are declared one after the other.
      if let last = options.last, option.name == "no-\(last.name)", last.kind == .flag {
        options[options.count - 1].opposites = option.spellings
      } else {
        options.append(option)
      }
    }
  }

  /// What is named by its place.
  var arguments: [OptionInfo] { options.filter { $0.kind == .positional } }

  /// The option that is typed so, `--image` or `-i`.
  func option(_ spelling: String) -> OptionInfo? {
    options.first { $0.spellings.contains(spelling) || $0.opposites.contains(spelling) }
  }

  /// Everything that can be typed, as it is.
  var spellings: [String] { options.flatMap { $0.spellings + $0.opposites } }

  /// Methods that the command runs.
  var methods: [any EditingMethod.Type] { Self.methods(of: name) }

  /// `generate` has no picture to edit.
  static func methods(of command: String) -> [any EditingMethod.Type] {
    let makesOfText = EditMethods.all.filter { !$0.about.needs.contains(.image) }
    return switch command {
    case GenerateCommand.configuration.commandName: makesOfText
    case EditCommand.configuration.commandName:
      EditMethods.all.filter { $0.about.needs.contains(.image) }
    default: EditMethods.all
    }
  }

  fileprivate var ownOptionsAlone: CommandInfo {
    let (methods, taken) = (methods, methods.options)
    var command = self
    command.options = options.compactMap { option in
      guard option.section == SettingOptions.title else { return option }
      guard taken.contains(option.name) else { return nil }
      var option = option
      option.abstract = SettingOptions.meaning(of: option.name, among: methods)
      return option
    }
    return command
  }
}

/// An option, a flag, or an argument that is named by its place.
struct OptionInfo: Decodable, Sendable {
  enum Kind: String, Decodable { case positional, option, flag }

  var kind: Kind
  /// The first long name without its dashes; of an argument what its place is called.
  var name: String
  /// As it is typed, short ones first: `-i`, `--image`, `--input`.
  var spellings: [String]
  /// Of a flag: `--no-detail`.
  var opposites: [String] = []
  var valueName: String
  /// The only ones, where there are such.
  var values: [String]
  var standard: String?
  var abstract: String
  /// Of the declaration; see `HelpSection` for the others.
  var section: String?
  var isOptional: Bool
  var isRepeating: Bool
  var completion: Completion
  /// Whether the word after it is its value even if it begins with a dash.
  var takesAnyWord: Bool
  /// Whether it takes all words up to the next option.
  var takesSeveral: Bool

  /// What a value may be completed to.
  enum Completion: Sendable, Equatable {
    case nothing
    case words([String])
    /// With these endings; none: all files.
    case files([String])
    case folders
  }

  private enum Key: String, CodingKey {
    case kind, names, valueName, defaultValue, allValues, abstract, sectionTitle, isOptional, isRepeating,
      completionKind, parsingStrategy, preferredName
  }

  private struct Name: Decodable {
    var kind: String
    var name: String
    var spelling: String { kind == "long" ? "--\(name)" : "-\(name)" }
  }

  private struct DeclaredCompletion: Decodable {
    struct List: Decodable { var values: [String] }
    struct Files: Decodable { var extensions: [String] }
    struct Nothing: Decodable {}
    var list: List?
    var file: Files?
    var directory: Nothing?
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    func text(_ key: Key) throws -> String? { try fields.decodeIfPresent(String.self, forKey: key) }
    kind = try fields.decode(Kind.self, forKey: .kind)
    valueName = try text(.valueName) ?? ""
    let names = try fields.decodeIfPresent([Name].self, forKey: .names) ?? []
    let long = names.filter { $0.kind == "long" }
    name = long.first?.name ?? names.first?.name ?? valueName
    spellings = (names.filter { $0.kind != "long" } + long).map(\.spelling)
    values = try fields.decodeIfPresent([String].self, forKey: .allValues) ?? []
    standard = try text(.defaultValue)
    abstract = try text(.abstract) ?? ""
    section = try text(.sectionTitle)
    isOptional = try fields.decode(Bool.self, forKey: .isOptional)
    isRepeating = try fields.decode(Bool.self, forKey: .isRepeating)
    let strategy = try text(.parsingStrategy)
    (takesAnyWord, takesSeveral) = (strategy == "unconditional", strategy == "upToNextOption")
    let declared = try fields.decodeIfPresent(DeclaredCompletion.self, forKey: .completionKind)
    completion =
      if let list = declared?.list {
        .words(list.values)
      } else if let file = declared?.file {
        .files(file.extensions)
      } else {
        declared?.directory != nil ? .folders : values.isEmpty ? .nothing : .words(values)
      }
    guard name == "help" else { return }
    // The parser knows nothing of the second kind.
    spellings.append(Self.helpAll)
    abstract = "Say what everyone needs; --help-all says everything."
  }

  static let helpAll = "--help-all"

  /// `--image`, or what an argument's place is called, in capitals.
  var title: String { kind == .positional ? valueName.uppercased() : "--\(name)" }
}
