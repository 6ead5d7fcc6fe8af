import NeuralGraph
import Packing
import WeightStorage

/// Side branches of a network by the path of their layer.
typealias Adapters = [String: [Adapter]]

/// A LoRA file and how strongly it acts.
public struct LoRAReference: Sendable, Equatable, CustomStringConvertible {
  public var path: String
  public var factor: Float

  public init(path: String, factor: Float = 1) { (self.path, self.factor) = (path, factor) }

  /// `FILE` or `FILE:0.8`.
  ///
  /// - Throws: `RequestError.settingValue` for a factor that is not finite.
  public init(parsing text: String) throws {
    (path, factor) = (text, 1)
    guard let colon = text.lastIndex(of: ":") else { return }
    guard let factor = Float(text[text.index(after: colon)...]) else { return }
    path = String(text[..<colon])
    self.factor = factor
    guard factor.isFinite, !path.isEmpty else {
      throw RequestError.settingValue(setting: "lora", value: text, allowed: "FILE or FILE:0.8")
    }
  }

  /// The file's name, without its folder, and a factor other than 1.
  public var description: String {
    let name = String(path.split(separator: "/").last ?? "")
    return factor == 1 ? name : "\(name):\(factor)"
  }
}

extension Model {
  /// The model with LoRA files laid over it as side branches; its own weights stay as they are.
  ///
  /// - Throws: `LoRAError` or `WeightFileError` for a file that is no LoRA, or not one for this model.
  public func adapted(by references: [LoRAReference]) throws -> Model {
    try references.reduce(self) { model, reference in
      try model.adapted(by: LoRAFile(path: reference.path), reference)
    }
  }

  /// - Parameter reference: what the file is called, and its factor.
  func adapted(by file: LoRAFile, _ reference: LoRAReference) throws -> Model {
    let root = "lora.\(adapters.count)"
    let branches = Dictionary(grouping: try file.branches(on: adaptedNetworks()), by: \.component)

    func lay(
      _ component: String, over weights: Checkpoint, _ adapters: Adapters
    ) throws -> (Checkpoint, Adapters) {
      var (tensors, adapters) = ([TensorEntry](), adapters)
      for branch in branches[component] ?? [] {
        let path = "\(root).\(branch.layer)"
        tensors.append(branch.down.renamed("\(path).lora_A.weight"))
        tensors.append(branch.up.renamed("\(path).lora_B.weight"))
        let factor = reference.factor * branch.alpha / Float(branch.rank)
        adapters[branch.layer, default: []].append(
          Adapter(path: path, rank: branch.rank, factor: factor))
      }
      let matrices = Checkpoint(file.weights.files[0], tensors: tensors, label: file.weights.label)
      for tensor in tensors { _ = try matrices.element(of: tensor.name) }
      return (Checkpoint(weights, adding: [matrices]), adapters)
    }

    let encoders = try textEncoders.enumerated().map { index, part in
      let (weights, adapters) = try lay(Self.encoderNames[index], over: part.weights, part.adapters)
      return TextEncoderPart(
        encoder: part.encoder, tokenizer: part.tokenizer, weights: weights, adapters: adapters)
    }
    let (weights, side) = try lay("unet", over: unetWeights, unetAdapters)
    return Model(
      self, textEncoders: encoders, unetWeights: weights, unetAdapters: side,
      adapters: adapters + ["\(reference)"])
  }

  /// The networks that a LoRA can change, with their layers.
  private func adaptedNetworks() throws -> [AdaptedNetwork] {
    func network(_ component: String, _ define: (Scope) throws -> Void) throws -> AdaptedNetwork {
      let builder = GraphBuilder()
      try define(builder.root)
      let suffix = ".weight"
      let layers = builder.graph.weights.filter { [.matrix, .convolution].contains($0.role) }
      return AdaptedNetwork(
        component: component,
        layers: Dictionary(
          layers.map { (String($0.name.dropLast(suffix.count)), $0.shape) }, uniquingKeysWith: { a, _ in a }))
    }
    let side = sizeMultiple / 8
    let unet = try network("unet") { _ = try self.unet.define(height: side, width: side, tokens: tokens, $0) }
    return try [unet]
      + zip(Self.encoderNames, textEncoders).map { name, part in
        try network(name) { _ = try part.encoder.define($0) }
      }
  }
}
