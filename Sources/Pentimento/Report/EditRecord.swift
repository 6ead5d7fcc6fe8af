import Editing
import Files
import ImageFiles
import JSON
import Tensors

/// What it takes to make a picture again, in the words and units of the command's options.
///
///     {"record": 1, "program": "0.1.0", "kernels": "fused", "options": {"method": "sdedit", "steps": 20, "strength": 0.6,
///      "image": {"name": "photo.png", "sha256": "…"}, …}}
///
/// Files are told by their hash and by their name without a folder, which nobody but their owner needs. The kernels are those
/// whose bits the picture has: all instruction sets that fuse products with sums have the same.
public struct EditRecord: Sendable, Equatable {
  /// Of this layout.
  public static let version = 1
  /// Its key in a picture's file.
  public static let key = "pentimento"

  package private(set) var program: String
  package private(set) var kernels: String
  /// By the names of the command's options, without the dashes.
  package var options: JSONObject

  /// One line of ASCII.
  public var text: String {
    let object: JSONObject = [
      "record": .integer(Self.version), "program": .string(program), "kernels": .string(kernels),
      "options": .object(options),
    ]
    return JSONValue.object(object).text
  }

  /// - Parameter file: how errors name where it came from.
  /// - Throws: `RecordError`.
  public init(parsing text: String, file: String) throws {
    guard let json = try? ConfigValue(parsing: Array(text.utf8), file: file),
      let version = try? json["record"].integer(), let program = try? json["program"].string(),
      let kernels = try? json["kernels"].string(), case .object(let options)? = json["options"].value
    else { throw RecordError.damaged(file: file) }
    guard version == Self.version else { throw RecordError.version(file: file, found: version) }
    (self.program, self.kernels, self.options) = (program, kernels, options)
  }

  /// The record in a picture's file.
  ///
  /// - Throws: `RecordError`, `PictureFileError`.
  public init(of picture: String) throws {
    guard let text = try PictureFile.texts(picture).last(where: { $0.0 == Self.key })?.1 else {
      throw RecordError.none(file: picture)
    }
    try self.init(parsing: text, file: picture)
  }
}

/// Why a picture cannot be made again from what its file says.
public enum RecordError: Error, Equatable, CustomStringConvertible {
  case none(file: String)
  case damaged(file: String)
  case version(file: String, found: Int)

  public var description: String {
    switch self {
    case .none(let file):
      "\(file) has no settings of this program in it: it was made without them, or another program has written it since"
    case .damaged(let file): "the settings in \(file) are damaged: take another copy of it"
    case .version(let file, let found):
      "the settings in \(file) are of version \(found), and this program reads \(EditRecord.version): use the program that "
        + "made it"
    }
  }
}

extension EditRecord {
  /// What differs between two records, a sentence for each thing, in the order of the first.
  public func differences(from now: EditRecord) -> [String] {
    var lines: [String] = []
    if program != now.program { lines.append("program \(program) made it, this is \(now.program)") }
    if kernels != now.kernels { lines.append("its kernels were \(kernels), these are \(now.kernels)") }
    for key in options.keys + now.options.keys.filter({ options[$0] == nil }) {
      let (old, new) = (options[key], now.options[key])
      guard Self.meaning(old) != Self.meaning(new) else { continue }
      lines.append("--\(key) was \(Self.words(old)), now it is \(Self.words(new))")
    }
    return lines
  }

  /// A file's name is no part of what was made.
  private static func meaning(_ value: JSONValue?) -> JSONValue? {
    switch value {
    case .object(let object)?:
      var rest = JSONObject()
      for key in object.keys where key != "name" || object["sha256"] == nil { rest.set(key, object[key]) }
      return .object(rest)
    case .array(let list)?: return .array(list.map { meaning($0)! })
    default: return value
    }
  }

  private static func words(_ value: JSONValue?) -> String {
    switch value {
    case nil: "not given"
    case .object(let object)?:
      if case .string(let name)? = object["name"], case .string(let hash)? = object["sha256"] {
        "\(name) (\(hash.prefix(12)))"
      } else {
        JSONValue.object(object).text
      }
    case .string(let text)?: "\"\(text)\""
    case .some(let value): value.text
    }
  }
}

extension EditJob {
  /// What it takes to do the job again. Reads the files of the request once.
  ///
  /// - Throws: `PictureFileError`, `WeightFileError`, `FileError`, `CancellationError`.
  public func record() throws -> EditRecord {
    var options = JSONObject()
    options.set("method", .string(methodName))
    for (name, value) in [
      ("prompt", request.prompt), ("source-prompt", request.sourcePrompt),
      ("negative-prompt", request.negativePrompt),
    ] {
      options.set(name, value.map(JSONValue.string))
    }
    // Plain text is what is not said, unless an inversion says otherwise.
    if request.syntax != .plain || request.inversion?.origin.promptSyntax == .weighted {
      options.set("prompt-syntax", .string(request.syntax.rawValue))
    }
    if !request.concepts.isEmpty {
      options.set("concept", .array(request.concepts.map { .string($0.written) }))
    }
    let settings = method.spelledOut(prepared.outline)
    for name in settings.keys.sorted() { options.set(name, settings[name]!.json) }
    options.set("seed", Int(exactly: seed).map(JSONValue.integer) ?? .string("\(seed)"))
    let size = request.size?.text ?? request.inversion?.origin.sizeOption ?? "\(editor.model.nativeSize)"
    options.set("size", .string(size))
    options.set("image", try (request.picture as? OpenPicture).map { try Self.file($0.path, $0.fileHash()) })
    options.set("mask", try (request.mask as? OpenMask).map { try Self.file($0.path, $0.fileHash()) })
    if request.picture != nil {
      options.set("posterior", .string(request.posterior.rawValue))
      options.set("crop", .string(request.window?.text ?? "none"))
      options.set("detail", .bool(request.keepsDetail))
    }
    if request.mask == nil, request.findsMask { options.set("mask", .string("auto")) }
    if request.mask != nil || request.findsMask {
      options.set("paste-back", .bool(request.pastesBack))
      options.set("feather", request.feather.map(JSONValue.integer))
    }
    if !request.moves.isEmpty {
      options.set("drag", .array(request.moves.map { .string($0.written) }))
      options.set("drag-order", .string(request.dragsInSequence ? "sequential" : "together"))
    }
    options.set("inversion", try request.inversionPath.map { try Self.file($0, FileReader(path: $0).hash()) })
    options.set("translator", request.translator.map { Self.file($0.path, $0.digest) })
    options.set("task", request.task.map(JSONValue.string))
    if let training = request.learning?.training {
      options.set("lora-steps", .integer(training.steps))
      options.set("lora-rank", .integer(training.rank))
    }
    options.set("attention", .string(editor.model.attention.rawValue))
    options.set("precision", .string(editor.model.activations.rawValue))
    options.set("model", Self.file(editor.model.name, try editor.identity.value()))
    return EditRecord(
      program: programVersion, kernels: editor.pool.kernels.sharesBits ? "fused" : "not fused",
      options: options)
  }

  private static func file(_ path: String, _ hash: String) -> JSONValue {
    .object(["name": .string(String(path.split(separator: "/").last ?? "")), "sha256": .string(hash)])
  }
}

extension EditRecord {
  init(program: String, kernels: String, options: JSONObject) {
    (self.program, self.kernels, self.options) = (program, kernels, options)
  }
}

extension Drag.Move {
  /// As the command has it: `x0,y0:x1,y1`.
  var written: String { "\(source.x),\(source.y):\(target.x),\(target.y)" }
}

extension SettingValue {
  fileprivate var json: JSONValue {
    switch self {
    case .flag(let flag): .bool(flag)
    case .number(let number): Int(exactly: number).map(JSONValue.integer) ?? .real(number)
    case .word(let word): .string(word)
    }
  }
}
