import WeightStorage

/// The tensors of one component of a file under the names that the networks know.
struct TranslatedTensors: Sendable {
  private(set) var tensors: [TensorEntry] = []
  /// What the file calls each.
  private var foreignName: [String: String] = [:]

  /// All components of a file, or of what lies below a prefix.
  ///
  /// - Throws: `unknownTensor` for the first name, in alphabetical order, that the table does not have;
  ///   `notAWholeModel` for two names that mean one tensor; `unusualShapes` for a fused weight that is none,
  ///   `severalScales`.
  static func all(
    of file: any TensorFile, _ table: KeyTable, below prefix: String = ""
  ) throws(WeightFileError) -> [String: Self] {
    var components: [String: Self] = [:]
    let scales = try ScaledTensors(file)
    for tensor in file.tensors.sorted(by: { $0.name < $1.name }) where tensor.name.hasPrefix(prefix) {
      guard !scales.areScales(tensor.name) else { continue }
      let tensor = scales.scaled(tensor)
      guard let (component, target) = table.target(of: tensor.name) else {
        throw .unknownTensor(file: file.reader.label, tensor: tensor.name)
      }
      for view in try views(tensor, target, file.reader.label) {
        try components[component, default: Self()].add(view, tensor.name, file.reader.label)
      }
    }
    return components
  }

  private mutating func add(_ tensor: TensorEntry, _ foreign: String, _ file: String) throws(WeightFileError)
  {
    if let other = foreignName.updateValue(foreign, forKey: tensor.name) {
      throw .notAWholeModel(
        file: file, reason: "\(other) and \(foreign) are the same weight; remove one of them")
    }
    tensors.append(tensor)
  }

  /// What a tensor becomes.
  private static func views(
    _ tensor: TensorEntry, _ target: KeyTarget, _ file: String
  ) throws(WeightFileError) -> [TensorEntry] {
    func shape(_ expected: String) -> WeightFileError {
      .unusualShapes(
        file: file, reason: "tensor \(tensor.name) has shape \(tensor.shape), which is no \(expected)")
    }
    switch target {
    case .ignored: return []
    case .renamed(let name): return [tensor.renamed(name)]
    case .linear(let name): return [tensor.flattened().renamed(name)]
    case .transposed(let name):
      guard let view = tensor.transposed() else { throw shape("matrix") }
      return [view.renamed(name)]
    case .rows(let names):
      var views: [TensorEntry] = []
      for (i, name) in names.enumerated() {
        guard let part = tensor.part(i, of: names.count) else { throw shape("\(names.count) weights in one") }
        views.append(part.renamed(name))
      }
      return views
    }
  }

  /// The weights as a checkpoint, whose errors name them as the file does.
  func checkpoint(of component: String, in file: any TensorFile, _ table: KeyTable) -> Checkpoint {
    let foreignName = foreignName
    return Checkpoint(file, tensors: tensors, label: "\(file.reader.label) (\(component))") { own in
      foreignName[own] ?? table.foreignName(of: own, in: component) ?? own
    }
  }
}
