import ArgumentParser
import Files
import FoundationEssentials
import ImageFiles
import JSON
import Pentimento

/// Making a picture again from what its file says.
struct ReplayOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take every option that is not given from a picture that this program made. Files are looked for by their names "
        + "beside it and in the current folder. What differs is said.", valueName: "picture"),
    completion: .pictures)
  var paramsFrom: String?

  /// Says what is not as it was, or that nothing is.
  func compare(_ now: EditRecord) throws {
    guard let paramsFrom else { return }
    let differences = try EditRecord(of: paramsFrom).differences(from: now)
    for difference in differences { note("unlike \(paramsFrom): \(difference)") }
    if differences.isEmpty { note("everything is as it was for \(paramsFrom): the same pixels are made") }
  }
}

extension ModelOptions {
  /// A record with what only the command knows: itself, LoRAs by their files, what was said of the model.
  func completed(_ record: EditRecord, command: String) throws -> EditRecord {
    var record = record
    record.set("command", .string(command))
    let files = try references.map { reference -> JSONValue in
      let hash = try FileReader(path: reference.path).hash()
      let name = String(reference.path.split(separator: "/").last ?? "")
      return .object([
        "name": .string(name), "scale": .real(Double(reference.factor)), "sha256": .string(hash),
      ])
    }
    if !files.isEmpty { record.set("lora", .array(files)) }
    if let prediction = reading.predictionType { record.set("prediction-type", .string(prediction.rawValue)) }
    if let spacing = reading.spacing { record.set("spacing", .string(spacing.rawValue)) }
    return record
  }
}

/// The words of a command, completed from a picture's record.
enum Replay {
  /// Options whose values are files.
  private static let files = ["image", "mask", "inversion", "translator", "model"]
  /// What is taken as it is written.
  private static let plain =
    [
      "method", "prompt", "source-prompt", "negative-prompt", "prompt-syntax", "concept", "seed", "size",
      "feather",
      "paste-back", "drag",
      "drag-order", "task", "lora-steps", "lora-rank", "attention", "precision", "prediction-type", "spacing",
      "crop",
      "detail", "quality", "posterior",
    ] + SettingOptions.names
  /// Options that say what another one says.
  private static let aliases = ["drag-file": "drag", "width": "size", "height": "size"]

  /// The same words where `--params-from` is not among them.
  ///
  /// - Throws: `RecordError`, `PictureFileError`, `ValidationError`.
  static func completed(_ words: [String]) throws -> [String] {
    guard let picture = value(of: "--params-from", in: words), let command = words.first else { return words }
    let record = try EditRecord(of: picture)
    if let made = record.string("command"), ["edit", "generate"].contains(command), made != command {
      throw ValidationError("\(picture) was made by '\(made)', not by '\(command)'")
    }
    let given = self.given(words)
    var more: [String] = []
    for name in record.names where !given.contains(name) {
      // What is dragged comes from a file with a mask and a prompt.
      guard takes(name, command), name != "quality" || writesJPEG(words) else { continue }
      if files.contains(name), let file = record.fileName(name) {
        if let path = try find(file, of: name, beside: picture) { more.append("--\(name)=\(path)") }
      } else if name == "lora" {
        for (file, scale) in record.loras {
          guard let path = try find(file, of: name, beside: picture) else { continue }
          more.append("--lora=\(path):\(scale)")
        }
      } else if plain.contains(name) || name == "mask" {
        more += record.words(name)
      } else if name != "command" {
        note("\(picture): the option --\(name) is not one of this program and is left out")
      }
    }
    return words + more
  }

  private static func takes(_ name: String, _ command: String) -> Bool {
    command != "generate"
      || !["method", "source-prompt", "image", "mask", "drag", "feather", "paste-back", "crop", "detail"]
        .contains(name)
  }

  private static func writesJPEG(_ words: [String]) -> Bool {
    let output = value(of: "--output", in: words) ?? value(of: "-o", in: words) ?? ""
    let format = value(of: "--format", in: words).flatMap(PictureFormatName.init(rawValue:))
    return EncodingOptions.isJPEG(output, format)
  }

  private static func value(of option: String, in words: [String]) -> String? {
    for (i, word) in words.enumerated() {
      if word.hasPrefix("\(option)=") { return String(word.dropFirst(option.count + 1)) }
      if word == option, i + 1 < words.count { return words[i + 1] }
    }
    return nil
  }

  /// Options that the words give, by their first names.
  private static func given(_ words: [String]) -> Set<String> {
    guard let command = words.first.flatMap({ CommandTable.shared[$0] }) else { return [] }
    return Set(
      GivenWords(Array(words.dropFirst()), of: command).options.map {
        aliases[$0.option.name] ?? $0.option.name
      })
  }

  /// Where a file of that name lies; nil for a model that is found by other means.
  ///
  /// - Throws: `ValidationError` for a file that has to be named.
  private static func find(_ name: String, of option: String, beside picture: String) throws -> String? {
    let folder = URL(fileURLWithPath: picture).deletingLastPathComponent().path
    for path in [name, "\(folder)/\(name)"] where FileManager.default.fileExists(atPath: path) { return path }
    if option == "model" { return nil }
    let option = option == "image" ? "--image" : "--\(option)"
    throw ValidationError(
      "\(picture) was made with \(name), which is neither here nor beside it: name it with \(option)")
  }
}

extension EditRecord {
  fileprivate var names: [String] { options.keys }

  fileprivate func string(_ name: String) -> String? {
    if case .string(let text)? = options[name] { text } else { nil }
  }

  /// Without a folder, whatever it says.
  fileprivate func fileName(_ name: String) -> String? {
    guard case .object(let file)? = options[name], case .string(let path)? = file["name"] else { return nil }
    return path.split(separator: "/").last.map(String.init)
  }

  fileprivate var loras: [(String, Double)] {
    guard case .array(let list)? = options["lora"] else { return [] }
    return list.compactMap { item in
      guard case .object(let file) = item, case .string(let path)? = file["name"] else { return nil }
      guard let name = path.split(separator: "/").last else { return nil }
      switch file["scale"] {
      case .real(let scale)?: return (String(name), scale)
      case .integer(let scale)?: return (String(name), Double(scale))
      default: return (String(name), 1)
      }
    }
  }

  /// As words of the command.
  fileprivate func words(_ name: String) -> [String] {
    func word(_ value: JSONValue) -> [String] {
      switch value {
      // The parser takes the next word for a value that is empty.
      case .string(""): ["--\(name)", ""]
      case .string(let text): ["--\(name)=\(text)"]
      case .integer(let number): ["--\(name)=\(number)"]
      case .real(let number): ["--\(name)=\(number)"]
      case .bool(true): ["--\(name)"]
      // A plain flag is given or not.
      case .bool(false):
        ["paste-back", "source-as-negative", "soft-mask", "detail"].contains(name) ? ["--no-\(name)"] : []
      case .array(let list): list.flatMap(word)
      case .null, .object: []
      }
    }
    return options[name].map(word) ?? []
  }

  mutating func set(_ name: String, _ value: JSONValue) { options.set(name, value) }

  /// With how well its file keeps the picture.
  func of(_ encoding: PictureEncoding) -> EditRecord {
    var record = self
    if case .jpeg(let quality) = encoding { record.set("quality", .integer(quality)) }
    return record
  }
}
