/// A reader of files that strangers write, as something hostile files can be given to.
package protocol FuzzTarget: Sendable {
  /// Sound files to begin with; the parts of an input that lies in several files one after the other.
  var seeds: [[[UInt8]]] { get }
  /// Words that its files are made of.
  var words: [String] { get }
  /// Its files are JSON, most of them.
  var isText: Bool { get }

  /// A hostile file made of a sound one, put together again so that the change gets past the first check.
  func mutated(_ part: [UInt8], other: [UInt8], _ mutator: inout Mutator) -> [UInt8]

  /// Reads an input and, if it is accepted, everything that it says is there.
  ///
  /// - Parameter folder: of its own, empty but for what the last call left.
  /// - Throws: why the input was refused. `Broken` if it was accepted and should not have been.
  func read(_ parts: [[UInt8]], in folder: String) async throws
}

extension FuzzTarget {
  package var words: [String] { [] }
  package var isText: Bool { true }
  package func mutated(_ part: [UInt8], other: [UInt8], _ mutator: inout Mutator) -> [UInt8] {
    mutator.mutate(part, other: other)
  }
}

/// A promise that a reader did not keep.
package struct Broken: Error, CustomStringConvertible {
  package var description: String

  init(_ description: String) { self.description = description }
}

/// The readers by name.
package enum FuzzReader: String, CaseIterable, Sendable {
  case safetensors, gguf, container
  case singleFile = "single-file"
  case unet, vae, text, scheduler
  case index = "model-index"
  case shards, defaults, tokenizer
  case png, jpeg

  /// - Parameter fixtures: the package's `Tests/Fixtures`.
  package func target(fixtures: String) throws -> any FuzzTarget {
    switch self {
    case .safetensors: try SafetensorsTarget(fixtures)
    case .gguf: try GGUFTarget(fixtures)
    case .container: try ContainerTarget(fixtures)
    case .singleFile: try SingleFileTarget(fixtures)
    case .unet: try ConfigurationTarget(fixtures, "unet/config.json", useUNet)
    case .vae: try ConfigurationTarget(fixtures, "vae/config.json", useAutoencoder)
    case .text: try ConfigurationTarget(fixtures, "text_encoder/config.json", useTextEncoder)
    case .scheduler: try ConfigurationTarget(fixtures, "scheduler/scheduler_config.json", useScheduler)
    case .index: try ModelIndexTarget(fixtures)
    case .shards: ShardsTarget()
    case .defaults: DefaultsTarget()
    case .tokenizer: try TokenizerTarget(fixtures)
    case .png: try PictureTarget.png(fixtures)
    case .jpeg: try PictureTarget.jpeg(fixtures)
    }
  }
}
