import NeuralGraph
import Runtime
import StableDiffusion
import Tensors
import WeightStorage

/// One network at one size, planned.
struct Stage {
  var name: String
  var graph: Graph
  var plan: Plan
  var weights: Checkpoint
}

/// Defines and plans the networks of a model. Nothing is read or allocated.
struct Stages {
  let model: Model
  let threads: Int
  /// Bytes for a stage; nil for no limit.
  let budget: Int?

  /// Text encoder `index`: ids → text states.
  func textEncoder(_ index: Int) throws -> Stage {
    let part = model.textEncoders[index]
    return try stage("text", part.weights, part.adapters) { g in
      let values = try part.encoder.define(g)
      var keep = ["states": values.states, "penultimate": values.penultimate]
      keep["projections"] = values.projections
      return keep
    }
  }

  /// What the names of attention maps begin with, among the outputs of a noise network.
  static let attentionPrefix = "attention."

  /// Noise network for a working size in pixels.
  func noise(width: Int, height: Int, attentionMaps: Bool = false, taps: Bool = false) throws -> Stage {
    // Guidance asks for two predictions at once; more lanes would lie idle in most passes.
    try stage("denoise", model.unetWeights, model.unetAdapters, taps: taps, lanes: 2) { g in
      let values = try model.unet.define(
        height: height / 8, width: width / 8, tokens: model.tokens, attentionMaps: attentionMaps, g)
      var keep: [String: Value] = ["out": values.out]
      for (i, map) in values.attentionMaps.enumerated() { keep["\(Self.attentionPrefix)\(i)"] = map }
      return keep
    }
  }

  /// Picture → moments of the latent.
  func encoder(width: Int, height: Int) throws -> Stage {
    try stage("encode", model.autoencoderWeights) { g in
      ["moments": try model.autoencoder.defineEncoder(height: height, width: width, g).moments]
    }
  }

  /// Latent → picture.
  func decoder(width: Int, height: Int) throws -> Stage {
    try stage("decode", model.autoencoderWeights) { g in
      ["image": try model.autoencoder.defineDecoder(height: height / 8, width: width / 8, g).image]
    }
  }

  /// - Parameter lanes: queries that may share a pass over streamed weights.
  private func stage(
    _ name: String, _ weights: Checkpoint, _ adapters: Adapters = [:], taps: Bool = false, lanes: Int = 1,
    _ define: (Scope) throws -> [String: Value]
  ) throws -> Stage {
    // A tensor that is missing is reported with its name when the model is opened.
    let builder = GraphBuilder(adapters: adapters) { (try? weights.format(of: $0)) ?? WeightFormat(.f32) }
    var keep = try define(builder.root)
    if taps { keep.merge(builder.graph.taps.map { ("block.\($0)", $1) }) { a, _ in a } }
    do {
      let planner = Planner(threads: threads, budget: budget, lanes: lanes) {
        (try? weights.address(of: $0)) != nil
      }
      let plan = try planner.plan(builder.graph, keep: keep)
      return Stage(name: name, graph: builder.graph, plan: plan, weights: weights)
    } catch PlanError.overBudget(let needed, let budget) {
      throw RequestError.overBudget(stage: name, needed: needed, budget: budget)
    }
  }
}
