import Editing
import NeuralGraph
import Runtime

/// One network at one size, planned.
package struct Stage: Sendable {
  package let name: String
  package let graph: Graph
  package let plan: Plan
  package let weights: NetworkWeights
  /// What a gradient takes, of a network that keeps some.
  package let gradient: GradientCost?
}

/// Plans the networks of a model. Nothing is read or allocated; graphs come from the model, which builds each once.
package struct Stages: Sendable {
  let model: Model
  let threads: Int
  /// Bytes for a stage; nil for no limit.
  let budget: Int?
  /// How fast the machine computes a network and reads its weights, as far as it was measured.
  var speed: @Sendable (Graph, NetworkWeights) -> MachineSpeed? = { _, _ in nil }

  package init(model: Model, threads: Int, budget: Int?) {
    (self.model, self.threads, self.budget) = (model, threads, budget)
  }

  /// Text encoder `index`: ids → text states.
  ///
  /// - Parameter lanes: texts that may share a pass over streamed weights.
  package func textEncoder(_ index: Int, lanes: Int = 1) throws -> Stage {
    try stage("text", of: model.textEncoders[index].component, lanes: lanes)
  }

  /// Noise network for a working size in pixels.
  ///
  /// - Parameters:
  ///   - contexts: of every prompt.
  ///   - kept: values beside those that the demands ask for.
  ///   - lanes: queries that come at once and may share a pass over streamed weights; nil for the network's own number.
  package func noise(
    width: Int, height: Int, contexts: Int = 1, demands: NetworkDemands = [],
    keeping kept: KeptValues = [], lanes: Int? = nil
  ) throws -> Stage {
    try stage(
      "denoise", of: "unet", NetworkSize(width: width, height: height, contexts: contexts),
      keeping: kept.union(KeptValues(demands)), lanes: lanes)
  }

  /// Picture → moments of the latent.
  package func encoder(width: Int, height: Int, keeping kept: KeptValues = []) throws -> Stage {
    try stage("encode", of: "vae", NetworkSize(width: width, height: height), keeping: kept)
  }

  /// Latent → picture.
  package func decoder(width: Int, height: Int, keeping kept: KeptValues = []) throws -> Stage {
    try stage("decode", of: "vae", NetworkSize(width: width, height: height), keeping: kept)
  }

  /// Any network of the model.
  ///
  /// - Parameter size: nil for networks that do not depend on it.
  /// - Throws: `RequestError.overBudget`.
  /// - Precondition: the model has the component, and the component the network.
  package func stage(
    _ network: String, of component: String, _ size: NetworkSize? = nil, keeping kept: KeptValues = [],
    lanes: Int? = nil
  ) throws -> Stage {
    guard let component = model.components.first(where: { $0.name == component }) else {
      preconditionFailure("\(model.name) has no \(component)")
    }
    return try stage(network, of: component, size, keeping: kept, lanes: lanes)
  }

  /// A network of any component, of the model or beside it.
  func stage(
    _ network: String, of component: Component, _ size: NetworkSize?, keeping kept: KeptValues = [],
    lanes: Int? = nil
  ) throws -> Stage {
    guard let network = component.networks.first(where: { $0.name == network }) else {
      preconditionFailure("\(component.name) has no \(network)")
    }
    let weights = component.weights
    // Gradients are asked for one by one.
    let lanes = kept.differentiates ? 1 : lanes ?? network.lanes
    var planner = Planner(threads: threads, budget: budget, lanes: lanes) { weights[$0].address != nil }
    do {
      guard !kept.differentiates else {
        let choice = try Recomputation(planner).choose { blocks in
          let defined =
            blocks.isEmpty
            ? try component.graph(of: network, size, keeping: kept)
            : try component.defined(network, size, keeping: kept, recomputing: blocks)
          return (defined.graph, defined.outputs)
        }
        let defined = try component.graph(
          of: network, size, keeping: kept, recomputing: choice.blocks,
          known: NetworkGraph(graph: choice.defined.graph, outputs: choice.defined.outputs))
        return Stage(
          name: network.name, graph: defined.graph, plan: choice.plan, weights: weights,
          gradient: choice.cost)
      }
      guard !network.worksByLines else {
        let (defined, plan) = try planByLines(network, of: component, size, keeping: kept, planner)
        return Stage(name: network.name, graph: defined.graph, plan: plan, weights: weights, gradient: nil)
      }
      let defined = try component.graph(of: network, size, keeping: kept)
      planner.speed = speed(defined.graph, weights).map(TransferSpeed.init)
      let plan = try planner.plan(defined.graph, keep: defined.outputs)
      return Stage(name: network.name, graph: defined.graph, plan: plan, weights: weights, gradient: nil)
    } catch PlanError.overBudget(let needed, let budget) {
      throw RequestError.overBudget(stage: network.name, needed: needed, budget: budget)
    }
  }
}
