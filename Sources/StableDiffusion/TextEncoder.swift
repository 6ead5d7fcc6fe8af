import NeuralGraph
import Tensors

/// The text tower of CLIP (Radford et al. 2021; `CLIPTextModel` in the checkpoint).
///
///     ids ── token_embedding ─(+)─ layers.0 ─ … ─ layers.n ─ final_layer_norm ── states
///     position_embedding ──────┘
package struct TextEncoder: Sendable {
  package var configuration: TextEncoderConfiguration
  /// The first part of the names of the file's tensors; empty where they have none.
  package var prefix: String

  package init(_ configuration: TextEncoderConfiguration, prefix: String = "text_model") {
    self.configuration = configuration
    self.prefix = prefix
  }

  /// The inputs and outputs of an encoder in its graph; L tokens of width D.
  package struct Values {
    /// Input `ids` `[L]`, i32.
    package let ids: Value
    /// `last_hidden_state` `[L, D]`, behind the final norm.
    package let states: Value
    /// `penultimate` `[L, D]`: what the last layer reads.
    package let penultimate: Value
    /// `projections` `[L, P]` of encoders with a projection, of all rows, since only the prompt decides which
    /// one is its pooled vector: the row of the end mark (`TextEncoderConfiguration.endPosition`).
    package let projections: Value?
  }

  package func define(_ root: Scope) throws(GraphError) -> Values {
    let c = configuration
    let g = prefix.isEmpty ? root : root[prefix]
    let ids = root.input("ids", TensorType([c.tokens], element: .i32))
    let words = try g["embeddings"]["token_embedding"].embedding(ids, entries: c.vocabulary, width: c.width)
    // A sequence always has the full length, so every position's row is added and none is looked up.
    let positions = g["embeddings"]["position_embedding"].weight("weight", [c.tokens, c.width], .vector)
    var hidden = [try g.add(words, positions)]
    for i in 0..<c.layers { hidden.append(try layer(hidden[i], g["encoder"]["layers"][i])) }
    let states = try g["final_layer_norm"].layerNorm(hidden[c.layers], epsilon: c.epsilon)
    let projections = try c.projection.map { (width) throws(GraphError) in
      try root["text_projection"].linear(states, to: width, bias: false)
    }
    return Values(
      ids: ids, states: root.tap("last_hidden_state", states),
      penultimate: root.tap("penultimate", hidden[c.layers - 1]), projections: projections)
  }

  /// One transformer layer.
  ///
  ///     x ── layer_norm1 ─ self_attn ─(+)─ layer_norm2 ─ mlp.fc1 ─ gelu ─ mlp.fc2 ─(+)── y
  private func layer(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
    let c = configuration
    var h = try attention(g["layer_norm1"].layerNorm(x, epsilon: c.epsilon), g["self_attn"])
    let x = try g.add(x, h)
    h = try g["layer_norm2"].layerNorm(x, epsilon: c.epsilon)
    h = try activate(g["mlp"]["fc1"].linear(h, to: c.hiddenWidth), g)
    return try g.add(x, g["mlp"]["fc2"].linear(h, to: c.width))
  }

  /// A token attends to itself and to those before it.
  private func attention(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
    let width = configuration.width
    let q = try g["q_proj"].linear(x, to: width)
    let k = try g["k_proj"].linear(x, to: width)
    let v = try g["v_proj"].linear(x, to: width)
    return try g["out_proj"].linear(g.attention(q, k, v, heads: configuration.heads, causal: true), to: width)
  }

  private func activate(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
    switch configuration.activation {
    case .quickGELU: try g.quickGELU(x)
    case .gelu: try g.gelu(x)
    }
  }
}

extension TextEncoder {
  /// The prefix of the names of a file: published files have it, files written since 2025 do not.
  package static func prefix(ofNames names: some Sequence<String>) -> String {
    names.contains { $0.hasPrefix("text_model.") } ? "text_model" : ""
  }
}
