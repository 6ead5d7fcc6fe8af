import Editing
import Files
import Pictures
import Platform
import Tensors
import WeightStorage

/// A saved inversion as a safetensors file.
///
///     state.{ℓ}, residual.{ℓ}, prediction.{ℓ} F32 [1, 4, h, w]       see `Inversion`
///     mask                                    F32 [1, 1, h, w]
///     embedding.{ℓ}                           F32 [tokens, width]    tuned, of every level
///     pooled                                  F32 [1, width]         that tuning was told, of models with one
///
/// Its metadata hold what the inversion is tied to, `parameter.{name}` for the method's parameters, and `sha256`
/// over all other metadata and all tensors, so that a damaged file is noticed.
public enum InversionFile {
  static let format = "pentimento inversion"
  static let version = "2"

  // MARK: Write

  /// Writes all or nothing: `path` is the old file or the whole new one.
  ///
  /// - Throws: `InversionError.cannotWrite`.
  public static func write(_ saved: SavedInversion, to path: String) throws {
    do {
      let file = try PartialFile(path: path)
      try write(saved, into: file)
      try file.commit()
    } catch {
      if let refusal = SystemRefusal(in: error) { throw refusal }
      throw InversionError.cannotWrite(reason: "\(error)")
    }
  }

  /// Writes into a file that the caller puts in place, with others perhaps.
  package static func write(_ saved: SavedInversion, into file: PartialFile) throws(FileError) {
    let tensors = tensors(of: saved.inversion)
    var metadata = metadata(of: saved)
    metadata["sha256"] = SafetensorsWriter.digest(tensors, metadata: metadata)
    try SafetensorsWriter.write(tensors, metadata: metadata, into: file)
  }

  private static func tensors(of inversion: Inversion) -> [String: StoredTensor] {
    var tensors: [String: StoredTensor] = [:]
    for (kind, latents) in [
      (Kind.state, inversion.states), (.residual, inversion.residuals), (.prediction, inversion.predictions),
    ] {
      for (level, latent) in latents {
        tensors[kind.name(level)] = StoredTensor(
          latent.channelsFirst, shape: [1, latent.channels, latent.height, latent.width])
      }
    }
    for (level, embedding) in inversion.embeddings {
      tensors[Kind.embedding.name(level)] = StoredTensor(embedding.values, shape: embedding.shape)
    }
    if let pooled = inversion.pooled {
      tensors[Kind.pooled.rawValue] = StoredTensor(pooled.values, shape: pooled.shape)
    }
    if let mask = inversion.mask {
      tensors["mask"] = StoredTensor(mask.values, shape: [1, 1, mask.height, mask.width])
    }
    return tensors
  }

  private static func metadata(of saved: SavedInversion) -> [String: String] {
    let origin = saved.origin
    var metadata = [
      "format": format, "version": version, "family": saved.inversion.family, "method": origin.method,
      "model": origin.modelName, "model-sha256": origin.model, "picture-sha256": origin.picture,
      "working-size": Extent(width: origin.width, height: origin.height).text, "seed": "\(origin.seed)",
      "generator": origin.generator,
    ]
    metadata["prompt"] = origin.prompt
    metadata["source-prompt"] = origin.sourcePrompt
    metadata["negative-prompt"] = origin.negativePrompt
    metadata["picture-size"] = origin.original?.text
    metadata["size-option"] = origin.sizeOption
    if origin.promptSyntax != .plain { metadata["prompt-syntax"] = origin.promptSyntax.rawValue }
    if origin.posterior != .mean { metadata["posterior"] = origin.posterior.rawValue }
    for (name, value) in saved.inversion.parameters { metadata["parameter.\(name)"] = value }
    return metadata
  }

  /// SHA-256 of all that the file of an inversion has.
  static func digest(_ saved: SavedInversion) -> String {
    SafetensorsWriter.digest(tensors(of: saved.inversion), metadata: metadata(of: saved))
  }

  // MARK: Read

  /// - Throws: `InversionError.unreadable` naming the file and what is wrong with it.
  public static func read(_ path: String) throws -> SavedInversion {
    do {
      let file = try SafetensorsFile(path: path)
      try check(file)
      let origin = try origin(file.metadata)
      var inversion = Inversion(family: try file.metadata.value("family"), parameters: [:])
      for (key, value) in file.metadata where key.hasPrefix("parameter.") {
        inversion.parameters[String(key.dropFirst("parameter.".count))] = value
      }
      for tensor in file.tensors { try read(tensor, of: file, origin, into: &inversion) }
      guard inversion.states[0] != nil else { throw Unsound.lacks("state.0") }
      return SavedInversion(inversion: inversion, origin: origin)
    } catch let error as Unsound {
      throw InversionError.unreadable(file: path, reason: error.sentence)
    } catch let error as WeightFileError {
      let reason: String
      switch error {
      case .file(.refused(let refusal)): throw refusal
      case .file(.missing): reason = "there is no such file; check the path"
      case .file(.notARegularFile), .file(.unreadable), .file(.readFailed):
        reason = "it cannot be read; check its permissions and the disk"
      case .notAWeightFile, .pickle: reason = Unsound.otherFormat.sentence
      default: reason = Unsound.damaged.sentence
      }
      throw InversionError.unreadable(file: path, reason: reason)
    }
  }

  /// The right kind of file, of this version and whole.
  private static func check(_ file: SafetensorsFile) throws {
    guard file.metadata["format"] == format else { throw Unsound.otherFormat }
    let written = try file.metadata.value("version")
    guard written == version else { throw Unsound.version(written) }
    var metadata = file.metadata
    let expected = metadata.removeValue(forKey: "sha256")
    let found = try SafetensorsWriter.digest(file.tensors.map(\.name), metadata: metadata) { name in
      try file.bytes(of: file.tensor(name))
    }
    guard found == expected else { throw Unsound.damaged }
  }

  private static func origin(_ metadata: [String: String]) throws -> SavedInversion.Origin {
    guard let size = Extent(metadata["working-size"]) else { throw Unsound.lacks("working-size") }
    guard let seed = UInt64(try metadata.value("seed")) else { throw Unsound.lacks("seed") }
    guard let posterior = Posterior.Choice(rawValue: metadata["posterior"] ?? "mean") else {
      throw Unsound.lacks("posterior")
    }
    guard let syntax = PromptSyntax(rawValue: metadata["prompt-syntax"] ?? "plain") else {
      throw Unsound.lacks("prompt-syntax")
    }
    return SavedInversion.Origin(
      method: try metadata.value("method"), modelName: try metadata.value("model"),
      model: try metadata.value("model-sha256"), picture: try metadata.value("picture-sha256"),
      width: size.width, height: size.height, prompt: metadata["prompt"],
      sourcePrompt: metadata["source-prompt"], negativePrompt: metadata["negative-prompt"], seed: seed,
      generator: try metadata.value("generator"), original: Extent(metadata["picture-size"]),
      sizeOption: metadata["size-option"], posterior: posterior, promptSyntax: syntax)
  }

  private static func read(
    _ tensor: TensorEntry, of file: SafetensorsFile, _ origin: SavedInversion.Origin,
    into inversion: inout Inversion
  ) throws {
    let (height, width) = (origin.height / 8, origin.width / 8)
    let parts = tensor.name.split(separator: ".", omittingEmptySubsequences: false)
    guard let kind = Kind(rawValue: String(parts[0])), parts.count == (kind.hasLevels ? 2 : 1),
      let level = kind.hasLevels ? Int(parts[1]) : 0, level >= 0
    else { throw Unsound.unknown(tensor.name) }
    let expected: [Int]? =
      switch kind {
      case .state, .residual, .prediction: [1, 4, height, width]
      case .mask: [1, 1, height, width]
      case .embedding, .pooled: nil
      }
    let values = try file.hostTensor(tensor.name, shape: expected)
    switch kind {
    case .state: inversion.states[level] = Latent(HostTensor(fromNCHW: values))
    case .residual: inversion.residuals[level] = Latent(HostTensor(fromNCHW: values))
    case .prediction: inversion.predictions[level] = Latent(HostTensor(fromNCHW: values))
    case .mask: inversion.mask = Mask(height: height, width: width, values: values.values)
    case .embedding, .pooled:
      guard values.shape.count == 2 else { throw Unsound.shape(tensor.name, values.shape) }
      if kind == .pooled { inversion.pooled = values } else { inversion.embeddings[level] = values }
    }
  }

  // MARK: Parts

  private enum Kind: String {
    case state, residual, prediction, mask, embedding, pooled

    var hasLevels: Bool { self != .mask && self != .pooled }
    func name(_ level: Int) -> String { "\(rawValue).\(level)" }
  }
}

/// What is wrong with a file; becomes `InversionError.unreadable`.
private enum Unsound: Error {
  case otherFormat
  case version(String)
  case damaged
  case lacks(String)
  case unknown(String)
  case shape(String, [Int])

  var sentence: String {
    switch self {
    case .otherFormat: "it is another kind of file; name one that an edit kept"
    case .version(let found):
      "it is of version \(found) and this program reads version \(InversionFile.version); invert again"
    case .damaged: "it is damaged; copy it again, or invert again"
    case .lacks(let what): "it has no \(what); invert again"
    case .shape(let tensor, let found): "its \(tensor) has the shape \(found) and no rows; invert again"
    case .unknown(let tensor): "it has a tensor \(tensor), which means nothing here; invert again"
    }
  }
}

extension [String: String] {
  fileprivate func value(_ key: String) throws -> String {
    guard let value = self[key] else { throw Unsound.lacks(key) }
    return value
  }
}

extension Extent {
  fileprivate var text: String { "\(width)x\(height)" }

  fileprivate init?(_ text: String?) {
    let sides = (text ?? "").split(separator: "x").compactMap { Int($0) }
    guard sides.count == 2, sides.allSatisfy({ (1...1 << 20).contains($0) }) else { return nil }
    self.init(width: sides[0], height: sides[1])
  }
}
