import NeuralGraph
import Packing
import WeightStorage

extension Model {
  /// The model with side branches on the queries, keys, values and outputs of every attention of its noise network,
  /// whose matrices are values of the run: what LoRA trains (Hu et al. 2022; methods as in DragDiffusion's and
  /// diffusers' scripts).
  ///
  ///     y = W·x + b + s·B(A·x),  A `[rank, in]`, B `[out, rank]`
  ///
  /// They are called `{path of the layer}.lora_A.weight` and `.lora_B.weight`, and have no values until a network of
  /// the model is given some (`Trainable.update`).
  package func training(rank: Int) throws -> Model {
    Model(
      self,
      components: try components.map { component in
        component.name == "unet" ? try component.training(rank: rank) : component
      }, adapters: adapters)
  }
}

extension Component {
  /// - Precondition: nothing of it is trained yet.
  fileprivate func training(rank: Int) throws -> Component {
    precondition(trained == .none, "\(name) is being trained")
    let layers = try networks.flatMap(reads).map(\.here.name).compactMap { name -> String? in
      guard name.hasSuffix(".weight") else { return nil }
      let layer = String(name.dropLast(".weight".count))
      return [".to_q", ".to_k", ".to_v", ".to_out.0"].contains(where: layer.hasSuffix) ? layer : nil
    }
    let branches = Dictionary(
      layers.map { ($0, [Adapter(path: $0, rank: rank, factor: 1)]) }, uniquingKeysWith: { first, _ in first }
    )
    return try Component(
      name, networks, facts, in: checkpoint, adapters: adapters.merging(branches) { $0 + $1 },
      trained: .named(Set(branches.keys.flatMap { ["\($0).lora_A.weight", "\($0).lora_B.weight"] })),
      attention: attention, activations: activations)
  }
}
