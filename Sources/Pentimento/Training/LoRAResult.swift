import Files
import Tensors
import WeightStorage

/// A LoRA that was trained on one picture, as diffusers has them: `unet.{layer}.lora_A.weight` `[rank, in]` and
/// `unet.{layer}.lora_B.weight` `[out, rank]`, F32, no alpha (it is the rank).
public struct LoRAResult: Sendable {
  /// By the names of the noise network's layers.
  let factors: [String: HostTensor]
  /// What it was made from, for the file's metadata.
  let origin: LoRAOrigin
  public var report: TrainingReport

  /// Writes all or nothing.
  ///
  /// - Throws: `FileError`.
  public func write(to path: String) throws {
    let file = try PartialFile(path: path)
    try write(into: file)
    try file.commit()
  }

  /// Writes into a file that the caller puts in place, with others perhaps.
  package func write(into file: PartialFile) throws {
    try Self.write(factors, origin, into: file)
  }

  static func write(
    _ factors: [String: HostTensor], _ origin: LoRAOrigin?, into file: PartialFile
  ) throws(FileError) {
    var tensors: [String: StoredTensor] = [:]
    for (name, factor) in factors {
      tensors["unet.\(name)"] = StoredTensor(factor.values, shape: factor.shape)
    }
    // Some readers refuse a file that does not say where its tensors came from.
    var metadata = ["format": "pt"].merging(origin?.metadata ?? [:]) { mine, _ in mine }
    metadata[LoRAOrigin.tensorsKey] = SafetensorsWriter.digest(tensors, metadata: [:])
    try SafetensorsWriter.write(tensors, metadata: metadata, into: file)
  }
}

/// What the factors of a LoRA depend on: two of one origin are the same.
struct LoRAOrigin: Sendable, Equatable {
  var identity: RunIdentity

  /// Says which one it is in a file's name.
  var digest: String {
    var hash = SHA256()
    for tie in identity.ties {
      hash.update(tie.name)
      hash.update(tie.value)
    }
    return hash.finalize()
  }

  /// `trained.{name}` for everything, in words that a person reads, and `trained.sha256` over all of it.
  var metadata: [String: String] {
    var metadata = ["trained.sha256": digest]
    for tie in identity.ties {
      let isHash = tie.value.hasPrefix("=") && tie.value.dropFirst() != tie.shown
      metadata["trained.\(tie.name.replacing(" ", with: "-"))"] = tie.shown
      if isHash {
        metadata["trained.\(tie.name.replacing(" ", with: "-"))-sha256"] = String(tie.value.dropFirst())
      }
    }
    return metadata
  }

  static let tensorsKey = "trained.tensors-sha256"

  /// Whether a file was made with all that this is, and is as it was written.
  func isMade(_ path: String) -> Bool {
    guard let file = try? SafetensorsFile(path: path), file.metadata["trained.sha256"] == digest,
      let tensors = try? SafetensorsWriter.digest(
        file.tensors.map(\.name), metadata: [:], bytes: { try file.bytes(of: file.tensor($0)) })
    else { return false }
    return tensors == file.metadata[Self.tensorsKey]
  }
}
