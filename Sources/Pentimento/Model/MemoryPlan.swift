import FoundationEssentials
import Runtime

/// What a run will hold in memory, known before anything is computed. All figures are bytes.
///
/// Stages follow one another and give everything back, so the peak is the largest stage plus what lives
/// through all of them.
public struct MemoryPlan: Sendable, Codable, Equatable {
  /// One network's share.
  public struct Stage: Sendable, Codable, Equatable {
    public var name: String
    /// Activations of all lanes.
    public var arena: Int
    /// Working memory of the kernels.
    public var scratch: Int
    /// Weights that stay in memory while the stage runs.
    public var residentWeights: Int
    /// Weights that pass through a window, and rows on their way from the file.
    public var streaming: Int
    /// What the method keeps while this stage runs: latents, noise maps, conditions.
    public var stored: Int

    public var total: Int { arena + scratch + residentWeights + streaming + stored }
  }

  public var stages: [Stage]
  /// Pictures in and out.
  public var pictures: Int
  /// The process before it starts: program, libraries, configuration; measured.
  public var baseline: Int

  public var peak: Int { baseline + pictures + (stages.map(\.total).max() ?? 0) }
  /// The stage that needs most.
  public var largestStage: Stage? { stages.max { $0.total < $1.total } }
}

extension MemoryPlan.Stage {
  init(_ name: String, _ plan: Plan, stored: Int) {
    self.init(
      name: name, arena: plan.arenaBytes * plan.lanes, scratch: plan.scratchBytes,
      residentWeights: plan.residentBytes, streaming: plan.windowBytes + plan.stagingBytes, stored: stored)
  }
}

/// What the kernel says of this process.
public enum ProcessMemory {
  /// Bytes in RAM now, file pages included.
  public static var resident: Int { status("VmRSS:") }
  /// The most bytes in RAM so far.
  public static var peak: Int { status("VmHWM:") }

  /// Bytes of RAM of this machine.
  public static var machine: Int { Int(clamping: ProcessInfo.processInfo.physicalMemory) }

  private static func status(_ key: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
    for line in text.split(separator: "\n") where line.hasPrefix(key) {
      return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
    return 0
  }
}
