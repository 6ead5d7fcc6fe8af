/// The methods that this package has.
public enum EditMethods {
  /// In the order in which they are listed.
  public static let all: [any EditingMethod.Type] = [
    DDPMInversion.self, LEDITS.self, LEDITSPlusPlus.self, TurboEdit.self, InfEdit.self,
    DeltaDenoisingScore.self, PosteriorDistillation.self, ScoreDistillationSampling.self, SDEdit.self,
    DDIMTranslation.self, NegativePromptInversion.self, CycleDiffusion.self, CycleSDE.self, DiffEdit.self,
    Inpainting.self, Drag.self, PromptTuningInversion.self, NullTextInversion.self, Translation.self,
    TextToImage.self, SEGA.self,
  ]
}

extension [any EditingMethod.Type] {
  package var names: [String] { map { $0.about.name } }

  package func named(_ name: String) -> (any EditingMethod.Type)? { first { $0.about.name == name } }

  /// Names of everything that any of them can be told.
  package var options: Set<String> { Set(flatMap { $0.options }) }

  /// Those with an inversion that can be kept.
  package var inverting: [any InvertingMethod.Type] { compactMap { $0 as? any InvertingMethod.Type } }
}

/// A parameter without its method's type, for lists of all methods.
package struct ParameterRow: Sendable {
  package var option: String
  package var kind: SettingValue.Kind
  package var bounds: Bounds
  package var unit: String?
  package var meaning: String
  package var isOption: Bool
  package var shorthand: (option: String, value: SettingValue, meaning: String)?
  /// The paper's.
  package var standard: ParameterValue

  /// Names under which it can be set.
  package var options: [String] { isOption ? [option] + (shorthand.map { [$0.option] } ?? []) : [] }
}

extension EditingMethod {
  /// Every parameter with its default.
  package static var rows: [ParameterRow] {
    let method = Self()
    return parameters.map { row in
      ParameterRow(
        option: row.option, kind: row.kind, bounds: row.bounds, unit: row.unit, meaning: row.meaning,
        isOption: row.isOption, shorthand: row.shorthand.map { ($0.option, $0.value, $0.meaning) },
        standard: row.value(in: method))
    }
  }

  /// Names of what can be set, in the table's order.
  package static var options: [String] {
    rows.flatMap(\.options) + (presets.isEmpty ? [] : [MethodPreset.option])
  }

  /// The method in the words of its table: what it needs, and every option with the paper's default and the model's.
  ///
  /// - Parameter model: the model's own defaults; nil where no model is at hand.
  package static func explanation(model: MethodSettings?) -> String {
    var lines = [about.name, "  \(about.summary)", "  \(about.paper)"]
    func names(_ needs: [MethodSummary.Need]) -> String {
      needs.map(\.rawValue).sorted().joined(separator: ", ")
    }
    lines.append("  needs: " + names(about.needs))
    if !about.accepts.isEmpty { lines.append("  can use: " + names(about.accepts)) }
    if !about.goals.isEmpty {
      lines.append("  good for: " + about.goals.map(\.rawValue).joined(separator: ", "))
    }
    let paper = model == nil ? "" : " with the paper's settings; 'pentimento plan' counts those of an edit"
    lines.append("  evaluations: \(about.evaluations)\(paper)")
    var table = [["", "paper"] + (model == nil ? [] : ["model"]) + [""]]
    for row in rows {
      let name = row.isOption ? "--\(row.option)" : "(\(row.option))"
      let own = (model?[row.option]).map { [Self.text(of: $0, for: row)] } ?? ["–"]
      let notes = [row.unit, row.kind.isNumber && row.bounds != .any ? "\(row.bounds)" : nil].compactMap {
        $0
      }
      let meaning = row.meaning + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))")
      table.append([name, row.standard.text] + (model == nil ? [] : own) + [meaning])
      if let short = row.shorthand {
        table.append(["--\(short.option)", ""] + (model == nil ? [] : [""]) + [short.meaning])
      }
    }
    for preset in presets {
      let name = "--\(MethodPreset.option) \(preset.name)"
      table.append([name, ""] + (model == nil ? [] : [""]) + [preset.meaning])
    }
    let widths = table[0].indices.map { column in table.map { $0[column].count }.max()! }
    for row in table {
      var line = " "
      for (cell, width) in zip(row, widths) {
        line += " " + cell + String(repeating: " ", count: width - cell.count + 1)
      }
      lines.append(String(line.reversed().drop { $0 == " " }.reversed()))
    }
    return lines.joined(separator: "\n")
  }

  /// A model's default as the paper's would be written.
  private static func text(of value: SettingValue, for row: ParameterRow) -> String {
    switch (value, row.kind) {
    case (.number(let number), .wholeNumber): Int(exactly: number).map { "\($0)" } ?? "\(number)"
    case (.word(let word), _): word
    default: value.text
    }
  }
}
