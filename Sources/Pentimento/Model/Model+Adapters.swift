import Editing
import NeuralGraph
import Packing
import WeightStorage

/// Side branches of a network by the path of their layer.
typealias Adapters = [String: [Adapter]]

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
  package func adapted(by file: LoRAFile, _ reference: LoRAReference) throws -> Model {
    let root = "lora.\(adapters.count)"
    let branches = Dictionary(grouping: try file.branches(on: adaptedNetworks()), by: \.component)

    let adapted = try components.map { component in
      guard let branches = branches[component.name] else { return component }
      var (tensors, more) = ([TensorEntry](), Adapters())
      var names: [String: String] = [:]
      for branch in branches {
        let path = "\(root).\(branch.layer)"
        for (tensor, name) in [(branch.down, "\(path).lora_A.weight"), (branch.up, "\(path).lora_B.weight")] {
          tensors.append(tensor.renamed(name))
          names[name] = tensor.name
        }
        let factor = reference.factor * branch.alpha / Float(branch.rank)
        try file.check(branch, factor: reference.factor)
        more[branch.layer, default: []].append(Adapter(path: path, rank: branch.rank, factor: factor))
      }
      let matrices = Checkpoint(
        file.weights.files[0], tensors: tensors, label: file.weights.label,
        translation: { [names] in names[$0] ?? $0 })
      for tensor in tensors { _ = try matrices.element(of: tensor.name) }
      return try component.adapted(by: more, in: matrices)
    }
    let sampling = sampling(with: file, called: "\(reference)")
    return Model(
      self, components: adapted, adapters: adapters + ["\(reference)"], scheduler: sampling.scheduler,
      more: (sampling.notes, sampling.suspicions))
  }

  /// How the model is sampled with a LoRA over it: an LCM-LoRA that says in its metadata what it is is believed, anything
  /// else only arouses suspicion.
  private func sampling(
    with file: LoRAFile, called name: String
  ) -> (scheduler: SchedulerConfiguration?, notes: [String], suspicions: [Suspicion]) {
    guard let resemblance = file.resemblance else { return (nil, [], []) }
    guard resemblance == .title(.jumps) else { return (nil, [], [Suspicion(of: name, resemblance)]) }
    var scheduler = schedulerConfiguration
    scheduler.className = SchedulerConfiguration.consistencySampler
    return (
      scheduler,
      [
        "\(name) says in its metadata that it is an LCM-LoRA, and the model is sampled as latent consistency models "
          + "are; if it is none, give --sampler ode"
      ], []
    )
  }

  /// The networks that a LoRA can change, with their layers. Where a file does not say which it means, it is the one
  /// that needs a picture: the noise network is the first.
  private func adaptedNetworks() throws -> [AdaptedNetwork] {
    let adaptable = components.filter(\.facts.takesAdapters)
    return try (adaptable.filter { !$0.facts.hasTokenizer } + adaptable.filter(\.facts.hasTokenizer)).map {
      component in
      let layers = try component.networks.flatMap(component.reads).map(\.here)
        .filter { [.matrix, .convolution].contains($0.role) }
      return AdaptedNetwork(
        component: component.name,
        layers: Dictionary(
          layers.map { (String($0.name.dropLast(".weight".count)), $0.shape) },
          uniquingKeysWith: { first, _ in first }))
    }
  }
}
