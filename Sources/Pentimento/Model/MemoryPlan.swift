import Runtime
import Tensors

/// What a run will hold in memory, known before anything is computed. All figures are bytes.
///
/// Stages follow one another and give everything back, so the peak is the largest stage plus what lives
/// through all of them.
public struct MemoryPlan: Sendable, Codable, Equatable {
  /// One step of the way: a network's share, or pictures on their way from or to a file.
  public struct Stage: Sendable, Codable, Equatable {
    public var name: String
    /// Activations of all lanes.
    public var arena = 0
    /// Working memory of the kernels.
    public var scratch = 0
    /// Values that are trained.
    public var parameters = 0
    /// Weights that stay in memory while the stage runs.
    public var residentWeights = 0
    /// Weights that pass through a window, and rows on their way from the file.
    public var streaming = 0
    /// What is kept beside the network: latents, noise maps, conditions, pictures.
    public var stored = 0

    /// In what a network computes its attention; nil where it has none.
    public var attention: AttentionArithmetic?

    /// Of a network that is differentiated: what a loss with its gradient takes.
    public var gradient: Gradient?

    public var total: Int { arena + scratch + parameters + residentWeights + streaming + stored }
  }

  /// A loss with its gradient. Blocks of the network are kept for the backward pass or computed again, as the budget
  /// allows.
  public struct Gradient: Sendable, Codable, Equatable {
    public var blocks: Int
    public var recomputedBlocks: Int
    /// Of forward and backward pass, with what is computed again.
    public var multiplyAdds: Int
    public var recomputedMultiplyAdds: Int
    /// Activations where every block is kept.
    public var arenaKeepingAll: Int
    /// The least that the stage can do with, its rows beside what it stores: every block computed again, all weights
    /// streamed and none read ahead.
    public var leastArena: Int
    public var leastScratch: Int
    public var leastStreaming: Int
    public var least: Int
  }

  public var stages: [Stage]
  /// What stays in memory from the first stage to the last: pictures, an inversion that was given.
  public var held: Int
  /// The process before it starts: program, libraries, configuration, which are measured, and what the kernel counts beside
  /// what a run asks for (`ProcessMemory.overhead`).
  public var baseline: Int

  public var peak: Int { baseline + held + (stages.map(\.total).max() ?? 0) }
  /// The stage that needs most.
  public var largestStage: Stage? { stages.max { $0.total < $1.total } }
}

extension MemoryPlan.Stage {
  init(_ name: String, _ stage: Pentimento.Stage, stored: Int) {
    let plan = stage.plan
    self.init(
      name: name, arena: plan.arenaBytes * plan.lanes, scratch: plan.scratchBytes,
      parameters: plan.parameterBytes,
      residentWeights: plan.residentBytes,
      streaming: plan.windowBytes + plan.readAheadBytes + plan.stagingBytes,
      stored: stored, attention: stage.graph.attention, gradient: stage.gradient.map(MemoryPlan.Gradient.init)
    )
  }
}

extension MemoryPlan.Gradient {
  init(_ cost: GradientCost) {
    self.init(
      blocks: cost.blocks, recomputedBlocks: cost.recomputedBlocks, multiplyAdds: cost.multiplyAdds,
      recomputedMultiplyAdds: cost.recomputedMultiplyAdds, arenaKeepingAll: cost.savingArena,
      leastArena: cost.leanestArena, leastScratch: cost.leanestScratch, leastStreaming: cost.leanestWindow,
      least: cost.leanest)
  }
}
