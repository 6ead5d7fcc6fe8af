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

    /// What a network does in the stage; nil for pictures.
    public var work: Work?

    public var total: Int { arena + scratch + parameters + residentWeights + streaming + stored }
  }

  /// What a network computes and reads in its stage.
  public struct Work: Sendable, Codable, Equatable {
    /// Evaluations of the network, those with a gradient not among them.
    public var evaluations: Int
    public var gradients: Int
    /// Evaluations that are asked for at once: those of a guided prediction, or of all edits that run side by side.
    public var evaluationsAtOnce: Int
    /// Evaluations that share a pass over the weights.
    public var lanes: Int
    /// The numbers of lanes that fit; none where no weights are read again.
    public var laneChoices: [Lanes]
    /// Over the weights, for all evaluations; gradients have one each.
    public var passes: Int
    /// Weights that are read at the start and stay, bytes.
    public var bytesOnce: Int
    /// Weights that are read for every pass over the network.
    public var bytesPerPass: Int
    public var bytesPerGradient: Int
    /// Of an evaluation, and of a loss with its gradient.
    public var multiplyAdds: Int
    public var gradientMultiplyAdds: Int
    /// What it will take on this machine: an estimate; nil where the machine was not measured.
    public var seconds: Double?

    /// Bytes of weights that the stage reads in all.
    public var bytes: Int { bytesOnce + passes * bytesPerPass + gradients * bytesPerGradient }
    /// Multiply-adds of the stage.
    public var allMultiplyAdds: Int { evaluations * multiplyAdds + gradients * gradientMultiplyAdds }
  }

  /// A number of lanes for the evaluations that are asked for at once.
  public struct Lanes: Sendable, Codable, Equatable {
    public var lanes: Int
    /// Over the weights.
    public var passes: Int
    /// Of weights, read in these passes.
    public var bytes: Int
    /// An estimate; nil where the machine was not measured.
    public var seconds: Double?
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
  /// Weights that are read from their files, bytes.
  public var bytesRead: Int { stages.reduce(0) { $0 + ($1.work?.bytes ?? 0) } }
  /// The networks' time on this machine: an estimate; nil where the machine was not measured.
  public var seconds: Double? {
    let known = stages.compactMap { $0.work?.seconds }
    return known.isEmpty ? nil : known.reduce(0, +)
  }
  /// The stage that needs most.
  public var largestStage: Stage? { stages.max { $0.total < $1.total } }
}

extension MemoryPlan.Stage {
  /// - Parameter rounds: how the evaluations come; nil: one after another.
  init(
    _ name: String, _ stage: Pentimento.Stage, stored: Int, evaluations: Int = 1, gradients: Int = 0,
    in rounds: EvaluationRounds? = nil
  ) {
    let plan = stage.plan
    self.init(
      name: name, arena: plan.arenaBytes * plan.lanes, scratch: plan.scratchBytes,
      parameters: plan.parameterBytes,
      residentWeights: plan.residentBytes,
      streaming: plan.windowBytes + plan.readAheadBytes + plan.stagingBytes,
      stored: stored, attention: stage.graph.attention,
      gradient: stage.gradient.map(MemoryPlan.Gradient.init),
      work: MemoryPlan.Work(
        stage, rounds ?? EvaluationRounds(evaluations - gradients, atOnce: 1), gradients: gradients))
  }
}

/// How the evaluations of a run come: lists of so many at once, so many times.
struct EvaluationRounds {
  private(set) var lists: [(evaluations: Int, times: Int)] = []

  /// Lists of equal length, and what is left.
  init(_ evaluations: Int, atOnce: Int) {
    if evaluations / atOnce > 0 { lists.append((atOnce, evaluations / atOnce)) }
    if evaluations % atOnce > 0 { lists.append((evaluations % atOnce, 1)) }
  }

  /// Of runs side by side, each of which asks together with all others that have not ended.
  init(_ runs: [(evaluations: Int, atOnce: Int)]) {
    var (done, living) = (0, runs.map { (left: ($0.evaluations + $0.atOnce - 1) / $0.atOnce, $0.atOnce) })
    living.sort { $0.left < $1.left }
    while let first = living.first {
      if first.left > done { lists.append((living.reduce(0) { $0 + $1.1 }, first.left - done)) }
      done = first.left
      living.removeFirst()
    }
  }

  /// Of runs one after the other.
  init(inTurn runs: [(evaluations: Int, atOnce: Int)]) {
    lists = runs.flatMap { EvaluationRounds($0.evaluations, atOnce: $0.atOnce).lists }
  }

  var evaluations: Int { lists.reduce(0) { $0 + $1.evaluations * $1.times } }
  /// The longest list.
  var atOnce: Int { lists.map(\.evaluations).max() ?? 1 }
  func passes(lanes: Int) -> Int { lists.reduce(0) { $0 + ($1.evaluations + lanes - 1) / lanes * $1.times } }
}

extension MemoryPlan.Work {
  init(_ stage: Pentimento.Stage, _ rounds: EvaluationRounds, gradients: Int) {
    let (plan, graph) = (stage.plan, stage.graph)
    let forward = plan.outputs.filter {
      $0.key != DenoisingNetwork.loss && !$0.key.hasPrefix(DenoisingNetwork.gradientPrefix)
    }
    self.init(
      evaluations: rounds.evaluations, gradients: gradients, evaluationsAtOnce: rounds.atOnce,
      lanes: plan.lanes, laneChoices: plan.choices.map(MemoryPlan.Lanes.init),
      passes: rounds.passes(lanes: plan.lanes),
      bytesOnce: plan.bytesOnce(of: graph, stage.weights),
      bytesPerPass: plan.streamedBytes(of: graph, stage.weights, only: Set(forward.keys)),
      bytesPerGradient: gradients == 0 ? 0 : plan.streamedBytes(of: graph, stage.weights),
      multiplyAdds: graph.multiplyAdds(for: forward.values),
      gradientMultiplyAdds: gradients == 0 ? 0 : graph.multiplyAdds(for: plan.outputs.values))
  }
}

extension MemoryPlan.Lanes {
  init(_ choice: LaneChoice) {
    self.init(lanes: choice.lanes, passes: choice.passes, bytes: choice.bytes, seconds: choice.seconds)
  }
}

extension MemoryPlan {
  /// The plan with the time that it will take on a machine of such speed: reading goes on while something is computed, so
  /// a stage takes as long as the slower of the two.
  public func timed(at speed: MachineSpeed) -> MemoryPlan {
    var plan = self
    for i in plan.stages.indices {
      guard let work = plan.stages[i].work else { continue }
      plan.stages[i].work!.seconds = max(
        Double(work.allMultiplyAdds) / speed.multiplyAddsPerSecond, Double(work.bytes) / speed.bytesPerSecond)
    }
    return plan
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
