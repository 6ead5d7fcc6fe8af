import ArgumentParser
import Editing
import Pentimento

struct MethodsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "methods", abstract: "List the editing methods, or explain one.")

  @Argument(help: "A method; all if left out.")
  var name: String?

  func run() throws {
    let entries = MethodEntry.all.filter { name == nil || $0.about.name == name }
    guard !entries.isEmpty else {
      throw ValidationError("there is no method \"\(name ?? "")\"; 'pentimento methods' lists them")
    }
    if name == nil {
      let width = entries.map(\.about.name.count).max()!
      for entry in entries {
        print(entry.about.name.padding(to: width + 2) + entry.about.summary)
      }
    } else {
      print(entries[0].explanation)
    }
  }
}

extension MethodEntry {
  fileprivate var explanation: String {
    var lines = [about.name, "  \(about.summary)", "  \(about.paper)"]
    lines.append("  needs: " + about.needs.map(\.rawValue).sorted().joined(separator: ", "))
    if !about.accepts.isEmpty {
      lines.append("  can use: " + about.accepts.map(\.rawValue).sorted().joined(separator: ", "))
    }
    lines.append("  evaluations: \(about.evaluations)")
    for parameter in defaults.parameters {
      lines.append("  \(parameter.name.padding(to: 18)) \(parameter.valueText.padding(to: 8)) \(parameter.meaning)")
    }
    return lines.joined(separator: "\n")
  }
}
