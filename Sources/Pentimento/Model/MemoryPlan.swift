import Runtime

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

    public var total: Int { arena + scratch + parameters + residentWeights + streaming + stored }
  }

  public var stages: [Stage]
  /// What stays in memory from the first stage to the last: pictures, an inversion that was given.
  public var held: Int
  /// The process before it starts: program, libraries, configuration; measured.
  public var baseline: Int

  public var peak: Int { baseline + held + (stages.map(\.total).max() ?? 0) }
  /// The stage that needs most.
  public var largestStage: Stage? { stages.max { $0.total < $1.total } }
}

extension MemoryPlan.Stage {
  init(_ name: String, _ plan: Plan, stored: Int) {
    self.init(
      name: name, arena: plan.arenaBytes * plan.lanes, scratch: plan.scratchBytes,
      parameters: plan.parameterBytes,
      residentWeights: plan.residentBytes,
      streaming: plan.windowBytes + plan.readAheadBytes + plan.stagingBytes,
      stored: stored)
  }
}
