import Editing
import FoundationEssentials
import Kernels
import NeuralGraph
import Packing
import StableDiffusion
import WeightStorage

/// How a model is written as a container.
public struct QuantizationRequest: Sendable {
  public var precision: WeightPrecision
  public var scales: ScaleChoice
  /// Side of the square pictures that the model was trained on, in pixels; nil for what the model says.
  public var nativeSize: Int?
  /// Parts of the names of weights that stay fp16 in an int8 container, `unet.mid_block`.
  public var kept: [String] = []

  /// Groups of input channels to rotate, by the name of an int8 weight in the container; `Model.calibrate` finds them.
  public var rotations: [String: Int] = [:]

  public init(precision: WeightPrecision, scales: ScaleChoice = .search) {
    (self.precision, self.scales) = (precision, scales)
  }
}

extension Model {
  /// Writes the model as a container, which the runtime maps and computes from.
  ///
  /// Weights are the networks' own lists, in the order in which they are read, so none can be missed or invented;
  /// configurations are written from what was understood of them, so that a model makes the same container whatever
  /// layout it came in.
  ///
  /// - Parameter onWeight: told how many weights of how many are done.
  /// - Throws: `WeightFileError`, `RequestError`, `CancellationError`; nothing is left at `url` then.
  public func quantize(
    to url: URL, _ request: QuantizationRequest, threads: Int, onWeight: (Int, Int) -> Void = { _, _ in }
  ) throws -> QuantizationReport {
    try check(request)
    let items = try packingList()
    var quantizer = Quantizer(
      precision: request.precision, scales: request.scales, keeping: request.kept)
    quantizer.rotations = request.rotations
    let hash = SourceHash(weightFiles)
    return try quantizer.write(
      items, texts: texts(nativeSize: request.nativeSize),
      provenance: { provenance(sourceHash: try hash.value()) }, to: url.path,
      ThreadPool(threads: threads)
    ) { onWeight($0, items.count) }
  }

  /// Where the weights come from and what wrote the container; of the same length for every source.
  private func provenance(sourceHash: String) -> String {
    "{\"source_sha256\":\"\(sourceHash)\",\"tool\":\"pentimento \(programVersion)\"}"
  }

  /// What can be known before any work is done.
  ///
  /// - Throws: `alreadyPacked` where weights come from a container, `RequestError.settingValue` for a layer to be kept
  ///   that there is none of.
  func check(_ request: QuantizationRequest) throws {
    let checkpoints = textEncoders.map(\.weights) + [unetWeights, autoencoderWeights]
    for file in checkpoints.flatMap(\.files) where file.mapping != nil {
      throw WeightFileError.alreadyPacked(file: file.reader.path)
    }
    let names = try packingList().map(\.name)
    for part in request.kept where part.isEmpty || !names.contains(where: { $0.contains(part) }) {
      throw RequestError.settingValue(
        setting: "keep", value: part.isEmpty ? "empty" : part,
        allowed: "a part of a weight's name, as unet.mid_block")
    }
  }

  /// Every weight that a network reads, by the names of today's files, with its name in this model's files.
  func packingList() throws -> [Quantizer.Item] {
    var items: [Quantizer.Item] = []
    func add(_ component: String, _ checkpoint: Checkpoint, own: GraphBuilder, here: GraphBuilder) {
      for (own, here) in zip(own.graph.weights, here.graph.weights) {
        items.append(
          Quantizer.Item(component: component, weight: own, source: here.name, checkpoint: checkpoint))
      }
    }
    func builders(_ define: (Scope, _ isOwn: Bool) throws -> Void) rethrows -> (GraphBuilder, GraphBuilder) {
      let (own, here) = (GraphBuilder(), GraphBuilder())
      try define(own.root, true)
      try define(here.root, false)
      return (own, here)
    }
    for (i, part) in textEncoders.enumerated() {
      let (own, here) = try builders { g, isOwn in
        var encoder = part.encoder
        if isOwn { encoder = TextEncoder(encoder.configuration) }
        _ = try encoder.define(g)
      }
      add(Self.encoderNames[i], part.weights, own: own, here: here)
    }
    let side = sizeMultiple / AutoencoderConfiguration.pixelsPerLatent
    let (own, here) = try builders { g, _ in
      _ = try unet.define(height: side, width: side, tokens: tokens, attentionMaps: false, g)
    }
    add("unet", unetWeights, own: own, here: here)
    for direction in [0, 1] {
      let (own, here) = try builders { g, isOwn in
        let coder = isOwn ? autoencoder.withCurrentNames : autoencoder
        _ =
          direction == 0
          ? try coder.defineEncoder(height: sizeMultiple, width: sizeMultiple, g).moments
          : try coder.defineDecoder(height: side, width: side, g).image
      }
      add("vae", autoencoderWeights, own: own, here: here)
    }
    return items
  }

  /// The small files of the model's folder, from what was understood of them.
  func texts(nativeSize: Int?) throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func json(_ value: any Encodable) throws -> String {
      String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    var network = unet.configuration
    if let nativeSize { network.sampleSize = nativeSize / AutoencoderConfiguration.pixelsPerLatent }
    var texts = [
      "model_index.json": try json(["force_zeros_for_empty_prompt": zeroesMissingNegative]),
      "unet/config.json": try json(network), "vae/config.json": try json(autoencoder.description),
      "scheduler/scheduler_config.json": try json(schedulerConfiguration.complete),
    ]
    for (i, part) in textEncoders.enumerated() {
      let suffix = i == 0 ? "" : "_2"
      texts["text_encoder\(suffix)/config.json"] = try json(part.encoder.configuration)
      for (name, text) in try Self.tokenizerFiles(files, "tokenizer\(suffix)").texts {
        texts["tokenizer\(suffix)/\(name)"] = text
      }
    }
    if files.contains("pentimento.json") {
      texts["pentimento.json"] = String(decoding: try files.data("pentimento.json"), as: UTF8.self)
    }
    return texts
  }
}
