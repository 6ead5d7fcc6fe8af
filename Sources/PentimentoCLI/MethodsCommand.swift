import ArgumentParser
import Editing
import Pentimento

struct MethodsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "methods", abstract: "List the editing methods, or explain one.")

  @Argument(help: "A method; all if left out.")
  var name: String?

  func run() async throws {
    try await reportingErrors {
      if let name {
        print(try MethodEntry.named(name).explanation)
      } else {
        let width = MethodEntry.all.map(\.about.name.count).max()!
        for entry in MethodEntry.all { print(entry.about.name.padding(to: width + 2) + entry.about.summary) }
      }
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
    let rows = defaults.parameters.map { (option(for: $0), valueText(of: $0), $0.meaning) }
    let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
    for (option, value, meaning) in rows {
      lines.append("  \(option.padding(to: widths.0 + 2))\(value.padding(to: widths.1 + 2))\(meaning)")
    }
    return lines.joined(separator: "\n")
  }

  /// `--cfg-scale` for what can be set, the parameter's own name for what is fixed.
  private func option(for parameter: Parameter) -> String {
    guard let setting = Setting(parameter: parameter.name), settings.contains(setting) else {
      return "(\(parameter.name))"
    }
    return "--\(setting.rawValue)"
  }

  /// The default as it would be typed: --skip takes a part of the steps where the paper counts them, and
  /// --official-last-step is the opposite of keeping the last noise.
  private func valueText(of parameter: Parameter) -> String {
    let steps = defaults.parameters.first { $0.name == "steps" }?.value
    switch (parameter.name, parameter.value, steps) {
    case ("skip", .whole(let levels), .whole(let steps)): return "\(Double(levels) / Double(steps))"
    case ("keep-last-noise", .flag(let keeps), _): return "\(!keeps)"
    default: return parameter.valueText
    }
  }
}
