import NeuralGraph
import Tensors

/// The sizes of a translation network.
package struct TranslationConfiguration: Hashable, Sendable, Codable {
  /// Channels, a multiple of `groups`.
  package var width = 64
  package var blocks = 6
  /// Pairs of prompts that it can translate between.
  package var tasks: Int
  /// Numbers that stand for a task.
  package var embedding = 64
  package var groups = 8

  package init(tasks: Int) { self.tasks = tasks }

  /// Whether there is a network of these sizes, and one that fits into some memory.
  package var isPossible: Bool {
    (1...1024).contains(groups) && (groups...4096).contains(width) && width % groups == 0
      && (0...256).contains(blocks) && (1...4096).contains(tasks) && (1...4096).contains(embedding)
  }
}

/// Latents to edited latents in one pass, trained by delta denoising scores (Hertz et al. 2023, section 5; methods.md
/// 3.2). An untrained one, whose last layer is zero, gives every latent back.
///
///     ẑ ─┬─ conv_in ── blocks ── gn_out ─ silu ─ conv_out ─(+)── out
///        └─────────────── task ──┘──────────────────────────┘
package struct TranslationNetwork: Sendable {
  package var configuration: TranslationConfiguration

  package init(_ configuration: TranslationConfiguration) { self.configuration = configuration }

  package static let latentChannels = 4

  package struct Values {
    /// Input `latent` `[h, w, 4]`.
    package let latent: Value
    /// Input `task` `[1]` (i32): the place of its prompts in the training's list.
    package let task: Value
    /// `[h, w, 4]`
    package let out: Value
  }

  /// Defines the network for latents of `height` × `width`.
  package func define(height: Int, width: Int, _ g: Scope) throws(GraphError) -> Values {
    let c = configuration
    let latent = g.input("latent", TensorType([height, width, Self.latentChannels]))
    let task = g.input("task", TensorType([1], element: .i32))
    let embedded = try g["task"].embedding(task, entries: c.tasks, width: c.embedding)
    var h = try g["conv_in"].conv(latent, to: c.width, kernel: 3)
    for i in 0..<c.blocks {
      g.builder.beginBlock()
      h = try TranslationBlock(groups: c.groups)(h, embedded, g["blocks"][i])
    }
    g.builder.beginBlock()
    h = try g["gn_out"].groupNorm(h, groups: c.groups)
    let change = try g["conv_out"].conv(g.silu(h), to: Self.latentChannels, kernel: 3)
    return Values(latent: latent, task: task, out: try g.add(latent, change))
  }
}

/// Residual block that the task scales and shifts (Perez et al. 2018).
///
///     h ── gn_a ─ silu ─ conv_a ── gn_b ─ ·(1 + γ) + δ ─ silu ─ conv_b ─(+)── out
///     task ───────────── film ───────────── γ | δ ┘                      │
///     h ─────────────────────────────────────────────────────────────────┘
private struct TranslationBlock {
  var groups: Int

  /// h `[H, W, C]`, task `[1, E]` → `[H, W, C]`
  func callAsFunction(_ h: Value, _ task: Value, _ g: Scope) throws(GraphError) -> Value {
    let c = g.channels(h)
    let film = try g["film"].linear(task, to: 2 * c)
    var y = try g["gn_a"].groupNorm(h, groups: groups)
    y = try g["conv_a"].conv(g.silu(y), to: c, kernel: 3)
    y = try g["gn_b"].groupNorm(y, groups: groups)
    y = try g.modulate(y, gamma: g.slice(film, 0..<c), delta: g.slice(film, c..<2 * c))
    y = try g["conv_b"].conv(g.silu(y), to: c, kernel: 3)
    return try g.add(h, y)
  }
}
