import Runtime
import Synchronization

/// Weights of one stage that did not stay in memory and were read again for every pass.
public struct StreamedWeights: Sendable, Codable, Equatable {
  /// As the plan calls it.
  public var stage: String
  /// Over the network.
  public var passes: Int
  /// Read from the model's files.
  public var bytes: Int
  /// Time that reading took, and the part of it for which nothing could be computed meanwhile.
  public var readSeconds: Double
  public var stalledSeconds: Double
  /// The share of reading that took place while something was computed; 1 where nothing waited.
  public var overlap: Double

  init(_ stage: String, _ traffic: WeightTraffic) {
    self.stage = stage
    (passes, bytes) = (traffic.passes, traffic.bytes)
    (readSeconds, stalledSeconds) = (traffic.reading.seconds, traffic.stalled.seconds)
    overlap = readSeconds > 0 ? max(0, 1 - stalledSeconds / readSeconds) : 1
  }
}

/// Collects what the networks of an edit streamed.
final class StreamLog: Sendable {
  /// Of the edit that the task runs.
  @TaskLocal static var current: StreamLog?

  private let stages = Mutex<[(name: String, traffic: WeightTraffic)]>([])

  /// Of a network that has done its work, or a part of it.
  func add(_ stage: String, _ traffic: WeightTraffic) {
    guard traffic.passes > 0 else { return }
    stages.withLock { stages in
      if let place = stages.firstIndex(where: { $0.name == stage }) {
        stages[place].traffic = stages[place].traffic + traffic
      } else {
        stages.append((stage, traffic))
      }
    }
  }

  /// In the order in which they ran.
  var streamed: [StreamedWeights] { stages.withLock { $0.map { StreamedWeights($0.name, $0.traffic) } } }
}
