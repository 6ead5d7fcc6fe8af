import FoundationEssentials
import WeightStorage

/// A file of low-rank side branches for the layers of a model (Hu et al. 2022), in the names of diffusers, PEFT or
/// kohya-ss.
///
/// Every tensor of the file is one half of a branch, or its alpha; anything else is refused by name.
package struct LoRAFile: Sendable {
  /// The tensors under the names that the file, or who gave them, has for them.
  package let weights: Checkpoint
  private let modules: [String: Module]
  private let metadata: LoRAMetadata

  /// What the file has for one layer, under its own names.
  private struct Module {
    var down: TensorEntry?
    var up: TensorEntry?
    var alpha: TensorEntry?
  }

  /// - Throws: `WeightFileError` or `LoRAError`.
  package init(path: String) throws {
    let file = try SafetensorsFile(path: path)
    // Its tensors would be used as they lie.
    guard !ContainerFile.isContainer(file) else { throw LoRAError.notALoRA(file: path) }
    try self.init(file, tensors: file.tensors)
  }

  /// - Parameter tensors: made from the file's own entries; the others are passed over.
  package init(_ file: SafetensorsFile, tensors: [TensorEntry]) throws {
    let path = file.reader.label
    weights = Checkpoint(file, tensors: tensors, label: path)
    var modules: [String: Module] = [:]
    for tensor in tensors.sorted(by: { $0.name < $1.name }) {
      if let kind = LoRAKey.unsupportedKind(of: tensor.name) {
        throw LoRAError.unsupportedKind(file: path, tensor: tensor.name, kind: kind)
      }
      guard let key = LoRAKey(tensor.name) else {
        guard Self.isLoRA(file) else { throw LoRAError.notALoRA(file: path) }
        throw LoRAError.unknownTensor(file: path, tensor: tensor.name)
      }
      var module = modules[String(key.module)] ?? Module()
      let place: WritableKeyPath<Module, TensorEntry?> =
        switch key.part {
        case .down: \.down
        case .up: \.up
        case .alpha: \.alpha
        }
      if let other = module[keyPath: place] {
        throw LoRAError.doubled(file: path, tensor: tensor.name, other: other.name)
      }
      module[keyPath: place] = tensor
      modules[String(key.module)] = module
    }
    guard !modules.isEmpty else { throw LoRAError.notALoRA(file: path) }
    self.modules = modules
    metadata = try LoRAMetadata(of: file)
  }

  /// Whether a file has a tensor that is named like one of a LoRA, or of something akin to it.
  package static func isLoRA(_ file: SafetensorsFile) -> Bool {
    file.tensors.contains { tensor in
      LoRAKey.unsupportedKind(of: tensor.name) != nil
        || LoRAKey(tensor.name).map { $0.part != .alpha } == true
    }
  }

  /// The branches of the file, each on a layer of one of `networks`.
  ///
  /// - Throws: `LoRAError` for a name that no layer has, `WeightFileError.shapeMismatch` for a matrix that does not
  ///   fit its layer.
  package func branches(on networks: [AdaptedNetwork]) throws -> [LoRABranch] {
    let spellings = networks.map { ($0, LayerSpellings(of: $0.layers.keys, in: $0.component)) }
    var branches: [LoRABranch] = []
    var taken: [String: String] = [:]
    for (name, module) in modules.sorted(by: { $0.key < $1.key }) {
      let some = (module.down ?? module.up ?? module.alpha)!
      let (component, spelling) = LoRAKey(some.name)!.place
      let found = spellings.lazy.filter { component == nil || component == $0.0.component }
        .compactMap { network, known in known[spelling].map { (network, $0) } }.first
      guard let (network, layer) = found else {
        throw LoRAError.unknownLayer(file: weights.label, tensor: some.name)
      }
      guard let down = module.down, let up = module.up else {
        throw LoRAError.incomplete(
          file: weights.label, tensor: some.name,
          missing: module.down == nil ? "lora_A (lora_down)" : "lora_B (lora_up)")
      }
      if let other = taken.updateValue(down.name, forKey: "\(network.component)/\(layer)") {
        throw LoRAError.doubled(file: weights.label, tensor: down.name, other: other)
      }
      var branch = LoRABranch(
        component: network.component, layer: layer, down: down.flattened(), up: up.flattened())
      try branch.check(against: network.layers[layer]!, weights.label)
      for tensor in [branch.down, branch.up] where tensor.weight == nil || tensor.weight == .s8 {
        _ = try weights.element(of: tensor.name)  // says what is wrong
        throw LoRAError.unsupportedKind(
          file: weights.label, tensor: tensor.name, kind: "a LoRA of whole numbers")
      }
      branch.alpha = try alpha(module, of: name, network.component, layer) ?? Float(branch.rank)
      branches.append(branch)
    }
    return branches
  }

  private func alpha(
    _ module: Module, of name: String, _ component: String, _ layer: String
  ) throws -> Float? {
    guard let tensor = module.alpha else { return metadata.alpha(of: layer, in: component) }
    let values =
      if [.i64, .i32].contains(tensor.element) {
        try weights.files[0].integers(tensor.name).map(Float.init)  // some trainers keep what the user wrote
      } else {
        try weights.floats(tensor.name)
      }
    guard values.count == 1, values[0].isFinite else {
      throw WeightFileError.shapeMismatch(
        file: weights.label, tensor: tensor.name, expected: [1], found: tensor.shape)
    }
    return values[0]
  }

  /// Of its branches, each once.
  var ranks: [Int] { Set(modules.values.compactMap { $0.down?.rows }).sorted() }

  /// The layers as it writes them, with `_` for every dot.
  var layerSpellings: [String] {
    modules.values.compactMap { module in
      (module.down ?? module.up).map { LoRAKey($0.name)!.place.spelling }
    }
  }

  /// What is in the file, in a line: which networks it names, how many layers, their ranks.
  package var summary: String {
    var layers: [String: Int] = [:]
    for module in modules.values {
      let some = (module.down ?? module.up ?? module.alpha)!
      layers[LoRAKey(some.name)!.place.component ?? "unet or text_encoder", default: 0] += 1
    }
    let parts = layers.sorted { $0.key < $1.key }.map { "\($0.value) layers of \($0.key)" }
    return "LoRA for \(parts.joined(separator: ", ")); rank \(ranks.map(String.init).joined(separator: ", "))"
  }
}

/// A network that side branches can be laid over.
package struct AdaptedNetwork: Sendable {
  /// `unet`, `text_encoder` or `text_encoder_2`.
  package var component: String
  /// The shapes of the weights `[N, K]` and `[O, I, kh, kw]` by the path of their layer.
  package var layers: [String: [Int]]

  package init(component: String, layers: [String: [Int]]) {
    (self.component, self.layers) = (component, layers)
  }
}

/// One side branch: s·(alpha/rank)·B(A·x) on the output of a layer.
package struct LoRABranch: Sendable {
  package var component: String
  package var layer: String
  /// A: `[r, K]`, of a convolution with a larger kernel `[r, I, kh, kw]`.
  package var down: TensorEntry
  /// B: `[N, r]`.
  package var up: TensorEntry
  package var alpha: Float = 0

  package var rank: Int { down.rows }

  /// - Parameter shape: that of the layer's weight.
  fileprivate func check(against shape: [Int], _ file: String) throws(WeightFileError) {
    let isPlain = shape.count == 2 || shape[2...] == [1, 1]
    let wanted = [(down, [rank] + (isPlain ? [shape[1]] : shape.dropFirst())), (up, [shape[0], rank])]
    for (tensor, expected) in wanted where tensor.shape != expected || rank == 0 {
      throw .shapeMismatch(file: file, tensor: tensor.name, expected: expected, found: tensor.shape)
    }
  }
}
