import Editing
import Files
import FoundationEssentials
import JSON
import Packing
import Pentimento
import Tensors
import WeightStorage

/// A parity case: what another implementation computed, from which inputs, with which noise.
///
///     case.json              kind, params, prompts, types of the draws
///     inputs.safetensors     inputs by name; draw i of the tape is `tape.{i:03d}`
///
/// Pictures and latents are NCHW in files.
public struct TraceCase: Sendable {
  public let modelFolder: URL
  let kind: String
  let params: ConfigValue
  let prompts: ConfigValue
  let imageSize: (height: Int, width: Int)
  /// Type of every draw, in order.
  private let draws: [String]
  let inputs: SafetensorsFile
  /// Names of the values that the other implementation wrote; nil where the case does not say.
  private let expected: Set<String>?
  var expectedNames: [String] { (expected ?? []).sorted() }

  /// - Throws: `WeightFileError` for a file that is missing or damaged, `ConfigurationError` without a needed key.
  public init(folder: URL) throws {
    let path = folder.appending(path: "case.json").path
    let bytes = [UInt8](try FileReader.contents(of: path, label: path))
    let json = try ConfigValue(parsing: bytes, file: path)
    kind = try json["kind"].string()
    params = json["params"]
    prompts = json["prompts"]
    let size = try json["image_size"].integers()
    guard size.count == 2 else { throw json["image_size"].wrong("[height, width]") }
    imageSize = (size[0], size[1])
    draws = json["tape"].isPresent ? try json["tape"].strings() : []
    expected = json["expected"].isPresent ? Set(json["expected"].keys) : nil
    // Relative to the case even where its URL lacks the slash of a folder.
    let base = URL(fileURLWithPath: folder.path, isDirectory: true)
    modelFolder = URL(fileURLWithPath: try json["model"].string(), relativeTo: base).standardizedFileURL
    inputs = try SafetensorsFile(path: folder.appending(path: "inputs.safetensors").path)
  }

  private static func threeDigits(_ index: Int) -> String {
    let digits = String(index)
    return String(repeating: "0", count: max(3 - digits.count, 0)) + digits
  }

  /// The recorded draws.
  func tape() throws -> RecordedTape {
    try RecordedTape(
      draws.enumerated().map { index, type in
        let name = "tape.\(Self.threeDigits(index))"
        let tensor = try inputs.hostTensor(name)
        guard type == "integer" else { return .normal(tensor) }
        guard tensor.count == 1, let draw = Int(exactly: tensor.values[0]) else {
          throw TraceError.input(name, found: tensor.shape, expected: "one whole number")
        }
        return .integer(draw)
      })
  }

  /// A latent `[1, C, h, w]` of the inputs.
  func latent(_ name: String) throws -> Latent {
    let tensor = try inputs.hostTensor(name)
    guard tensor.shape.count == 4, tensor.shape[0] == 1 else {
      throw TraceError.input(name, found: tensor.shape, expected: "[1, C, h, w]")
    }
    return Latent(HostTensor(fromNCHW: tensor))
  }

  /// A mask `[1, 1, h, w]` of the inputs.
  func mask(_ name: String) throws -> Mask {
    let tensor = try inputs.hostTensor(name)
    guard tensor.shape.count == 4, tensor.shape[..<2] == [1, 1] else {
      throw TraceError.input(name, found: tensor.shape, expected: "[1, 1, h, w]")
    }
    return Mask(height: tensor.shape[2], width: tensor.shape[3], values: tensor.values)
  }

  /// The model with the case's LoRA, if it has one: inputs named `lora.`, then as PEFT names them.
  func adapted(_ model: Model) throws -> Model {
    let prefix = "lora."
    let tensors = inputs.tensors.filter { $0.name.hasPrefix(prefix) }
      .map { $0.renamed(String($0.name.dropFirst(prefix.count))) }
    guard !tensors.isEmpty else { return model }
    return try model.adapted(by: LoRAFile(inputs, tensors: tensors), LoRAReference(path: inputs.reader.label))
  }

  /// Runs the case on a model.
  ///
  /// - Parameter methods: those whose kinds of cases are known.
  /// - Throws: `TraceError.unknownKind` for a kind that is not implemented, `RequestError.pictureSize`, and whatever
  ///   the run throws.
  public func run(
    _ model: Model, threads: Int, methods: [any EditingMethod.Type] = EditMethods.all
  ) async throws -> TraceResults {
    let multiple = model.sizeMultiple
    guard [imageSize.height, imageSize.width].allSatisfy({ $0 > 0 && $0 <= 8192 && $0 % multiple == 0 })
    else {
      throw RequestError.pictureSize(width: imageSize.width, height: imageSize.height, multiple: multiple)
    }
    try model.verify()
    let results = TraceResults()
    if let run = Self.componentKinds[kind] {
      try await run(self, model, threads, results)
    } else if try await !runMethod(model, threads: threads, among: methods, results) {
      let known = Self.componentKinds.keys + methods.flatMap { $0.kindsOfCases }
      throw TraceError.unknownKind(kind, known: Set(known).sorted())
    }
    if let expected { results.keep(expected) }
    return results
  }

  /// The model's schedule with what the case puts in the place of its scheduler's entries.
  ///
  /// - Throws: `TraceError.scheduler` for an entry that cannot be replaced.
  package func noiseSchedule(of model: Model) throws -> NoiseSchedule {
    let (entries, original) = (params["scheduler"], params["original"])
    guard entries.isPresent || original.isPresent else { return model.schedule }
    var configuration = model.schedulerConfiguration
    if original.isPresent {
      // Grids are those of a consistency model, whatever the model is.
      configuration.className = SchedulerConfiguration.consistencySampler
      configuration.originalSteps = try original.integer()
    }
    guard entries.isPresent else { return try NoiseSchedule(configuration) }
    guard entries.isObject else { throw TraceError.scheduler(entry: "entries all at once") }
    for key in entries.keys {
      switch key {
      case "timestep_spacing": configuration.timestepSpacing = try entries[key].string()
      case "set_alpha_to_one": configuration.setsAlphaToOne = try entries[key].bool()
      case "steps_offset": configuration.stepsOffset = try entries[key].integer()
      default: throw TraceError.scheduler(entry: key)
      }
    }
    return try NoiseSchedule(configuration)
  }

  typealias Run = @Sendable (TraceCase, Model, Int, TraceResults) async throws -> Void
}

extension EditingMethod {
  fileprivate static var kindsOfCases: [String] { Array(caseKinds.keys) }
}

/// Why a case could not be run.
public enum TraceError: Error, Equatable, CustomStringConvertible {
  case unknownKind(String, known: [String])
  case missingPrompt(String)
  case scheduler(entry: String)
  case unknownKey(String)
  case input(String, found: [Int], expected: String)
  case unusedDraws([Int])

  public var description: String {
    switch self {
    case .unknownKind(let kind, let known):
      "cases of kind \"\(kind)\" cannot be traced; known are \(known.joined(separator: ", "))"
    case .missingPrompt(let key):
      "the case has no prompt \"\(key)\", which its kind needs: write the case again"
    case .unknownKey(let key):
      "the case sets \"\(key)\", of which nothing here makes any use: a run without it would be another one"
    case .scheduler(let entry):
      "the case replaces the scheduler's \(entry), which a trace cannot: it replaces timestep_spacing, "
        + "set_alpha_to_one and steps_offset"
    case .input(let name, let found, let expected):
      "the case's input \(name) has the shape \(found), not that of \(expected): write the case again"
    case .unusedDraws(let draws):
      "the run left draws \(draws) of the tape unused: the case was recorded with other parameters"
    }
  }
}
