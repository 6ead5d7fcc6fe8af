import NeuralGraph
import Runtime

/// One network at one size, planned.
package struct Stage: Sendable {
  package let name: String
  package let graph: Graph
  package let plan: Plan
  package let weights: NetworkWeights
}

/// Plans the networks of a model. Nothing is read or allocated; graphs come from the model, which builds each once.
package struct Stages: Sendable {
  let model: Model
  let threads: Int
  /// Bytes for a stage; nil for no limit.
  let budget: Int?

  package init(model: Model, threads: Int, budget: Int?) {
    (self.model, self.threads, self.budget) = (model, threads, budget)
  }

  /// Text encoder `index`: ids → text states.
  package func textEncoder(_ index: Int) throws -> Stage {
    try stage("text", of: model.textEncoders[index].component)
  }

  /// Noise network for a working size in pixels.
  ///
  /// - Parameter lanes: queries that may share a pass over streamed weights; nil for the network's own number.
  package func noise(
    width: Int, height: Int, attentionMaps: Bool = false, taps: Bool = false, lanes: Int? = nil
  ) throws -> Stage {
    var kept: KeptValues = attentionMaps ? .attentionMaps : []
    if taps { kept.insert(.taps) }
    return try stage(
      "denoise", of: "unet", NetworkSize(width: width, height: height), keeping: kept, lanes: lanes)
  }

  /// Picture → moments of the latent.
  package func encoder(width: Int, height: Int) throws -> Stage {
    try stage("encode", of: "vae", NetworkSize(width: width, height: height))
  }

  /// Latent → picture.
  package func decoder(width: Int, height: Int) throws -> Stage {
    try stage("decode", of: "vae", NetworkSize(width: width, height: height))
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
    let defined = try component.graph(of: network, size, keeping: kept)
    let weights = component.weights
    let planner = Planner(threads: threads, budget: budget, lanes: lanes ?? network.lanes) {
      weights[$0].address != nil
    }
    do {
      let plan = try planner.plan(defined.graph, keep: defined.outputs)
      return Stage(name: network.name, graph: defined.graph, plan: plan, weights: weights)
    } catch PlanError.overBudget(let needed, let budget) {
      throw RequestError.overBudget(stage: network.name, needed: needed, budget: budget)
    }
  }
}
