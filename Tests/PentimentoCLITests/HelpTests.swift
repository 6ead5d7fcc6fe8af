import Editing
import Foundation
import Testing

@Suite("Help and the manual", .serialized) struct HelpTests {
  static let commands = [
    "edit", "generate", "batch", "plan", "methods", "inspect", "train-lora", "train-translator", "quantize",
    "compare", "verify", "trace", "completions", "man",
  ]

  private func output(_ arguments: String...) async throws -> String {
    let run = try await Command.run(arguments, in: Workplace())
    #expect(run.exited && run.status == Status.done && run.errors == "", "\(arguments): \(run.errors)")
    return run.output
  }

  /// Words of a text that are options.
  private func options(in text: String) -> Set<String> {
    Set(
      text.split { !($0.isLetter || $0.isNumber || $0 == "-") }.filter { $0.hasPrefix("--") && $0.count > 2 }
        .map(String.init))
  }

  @Test("every example works as it stands, in an empty folder and in the order of the pages")
  func examplesWork() async throws {
    func examples(_ help: String) -> [String] {
      help.split(separator: "\n").filter { $0.hasPrefix("  pentimento ") || $0.hasPrefix("  eval ") }
        .map { String($0.dropFirst(2)) }
    }
    var commands = examples(try await output("--help"))
    #expect(commands.count == 3)
    #expect(examples(try await output("edit", "--help")).count == 3)
    for command in Self.commands { commands += examples(try await output(command, "--help")) }
    let (place, programs) = try (Workplace(), Workplace())
    try FileManager.default.createSymbolicLink(
      at: programs.url("pentimento"), withDestinationURL: Command.executable)
    for command in commands {
      let run = try await Command.shell(
        #"exec bash -c "$1""#, [command], in: place,
        environment: ["PATH": "\(programs.url.path):/usr/bin:/bin"])
      #expect(run.status == Status.done, "\(command): \(run.errors)")
    }
    #expect(Set(["watercolor.png", "pentimento.1"]).isSubset(of: try place.contents))
  }

  @Test("short help begins with what everyone needs, fits few screens and names all other options")
  func shortHelp() async throws {
    let (short, all) = try await (output("edit", "--help"), output("edit", "--help-all"))
    #expect(try await output("help", "edit") == short)
    #expect(try await output("edit", "-h") == short)
    let lines = short.split(separator: "\n", omittingEmptySubsequences: false)
    let place = { (option: String) in lines.firstIndex { $0.hasPrefix("  \(option)") } ?? .max }
    #expect(place("-i, --image") < place("-p, --prompt") && place("-p, --prompt") < 30)
    #expect(place("-o, --output") < place("--method") && place("--method") < place("-m, --model"))
    #expect(lines.count <= 100)
    // Settings are explained with their methods; of an option with several names one is enough.
    let settings = EditMethods.all.options
    #expect(settings.allSatisfy { options(in: all).contains("--\($0)") })
    for line in all.split(separator: "\n") where line.hasPrefix("  -") {
      let names = options(in: String(line.prefix { $0 != "<" }.split(separator: "   ")[0]))
      guard !names.isEmpty, names.isDisjoint(with: settings.map { "--\($0)" }) else { continue }
      #expect(!names.isDisjoint(with: options(in: short)), "\(line)")
    }
    // They come last.
    let title = try #require(all.firstRange(of: "\nSettings of the methods:"))
    #expect(options(in: String(all[..<title.lowerBound])).contains("--lora-cache"))
  }

  @Test("a command lists the settings of its own methods alone")
  func ownOptions() async throws {
    let generating = EditMethods.all.filter { !$0.about.needs.contains(.image) }
    #expect(generating.map { $0.about.name } == ["generate", "sega"])
    let listed = options(in: try await output("generate", "--help-all"))
    let own = generating.options
    for setting in EditMethods.all.options {
      #expect(listed.contains("--\(setting)") == own.contains(setting), "\(setting)")
    }
    #expect(listed.isDisjoint(with: ["--drag", "--mask", "--image", "--source-prompt", "--method"]))
  }

  @Test("help has every option that is declared", arguments: commands)
  func complete(command: String) async throws {
    struct Declared: Decodable {
      struct Command: Decodable { var arguments: [Argument]? }
      struct Argument: Decodable {
        struct Name: Decodable { var kind: String, name: String }
        var names: [Name]?
        var sectionTitle: String?
      }
      var command: Command
    }
    let text = try await output(command, "--experimental-dump-help")
    let declared = try JSONDecoder().decode(Declared.self, from: Data(text.utf8)).command.arguments ?? []
    let listed = options(in: try await output(command, "--help-all"))
    for option in declared where option.sectionTitle == nil {
      for name in option.names ?? [] where name.kind == "long" && name.name != "version" {
        #expect(listed.contains("--\(name.name)"), "\(name.name)")
      }
    }
  }

  @Test("the manual has every command, option and method, and troff takes it without a word")
  func manual() async throws {
    let place = try Workplace()
    let page = try await output("man")
    try place.add("pentimento.1", page.utf8)
    let plain = page.replacing("\\-", with: "-")
    for command in Self.commands {
      #expect(page.contains("\n.SH \(command.uppercased())\n"))
      let missing = options(in: try await output(command, "--help-all")).subtracting(options(in: plain))
      #expect(missing.isEmpty, "\(command): \(missing)")
    }
    #expect(EditMethods.all.names.allSatisfy { plain.contains("\n.B \($0)\n") })
    let troff = try await Command.shell(
      "command -v groff >/dev/null || exit 77; exec groff -k -ww -man -Tutf8 pentimento.1 >/dev/null",
      in: place)
    #expect([Status.done, 77].contains(troff.status) && troff.errors == "", "\(troff.errors)")
  }
}
