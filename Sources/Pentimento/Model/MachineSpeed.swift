import Files
import FoundationEssentials
import NeuralGraph
import Platform
import Runtime

/// How fast a machine computes a model's networks and reads its weights: measured in two seconds and remembered.
public struct MachineSpeed: Sendable, Codable, Equatable {
  public var multiplyAddsPerSecond: Double
  /// Past the page cache.
  public var bytesPerSecond: Double

  public init(multiplyAddsPerSecond: Double, bytesPerSecond: Double) {
    (self.multiplyAddsPerSecond, self.bytesPerSecond) = (multiplyAddsPerSecond, bytesPerSecond)
  }
}

extension TransferSpeed {
  init(_ speed: MachineSpeed) {
    self.init(
      multiplyAddsPerSecond: speed.multiplyAddsPerSecond, bytesPerSecond: speed.bytesPerSecond)
  }
}

extension EditJob {
  /// This machine's speed at the job's largest network: as an earlier run measured it, or measured now and remembered in
  /// the user's cache folder.
  ///
  /// - Parameter measuringAgain: whatever an earlier run has found.
  /// - Throws: `WeightFileError`, `SystemRefusal`, as a run would.
  public func machineSpeed(measuringAgain: Bool = false) throws -> MachineSpeed {
    let stage = stages.noise ?? stages.translation ?? stages.decoder
    let record = SpeedRecord(key: editor.speedKey(stage.graph, stage.weights))
    if !measuringAgain, let known = record.speed { return known }
    let trial = try SpeedTrial(stage.graph, stage.plan, weights: stage.weights, pool: editor.pool)
    let speed = MachineSpeed(
      multiplyAddsPerSecond: trial.multiplyAddsPerSecond, bytesPerSecond: trial.bytesPerSecond)
    record.keep(speed)
    return speed
  }
}

extension Editor {
  /// The speed that an earlier run measured; nil where none did. A plan never waits for a measurement.
  var knownSpeed: @Sendable (Graph, NetworkWeights) -> MachineSpeed? {
    { graph, weights in memoryLimit == nil ? nil : SpeedRecord(key: speedKey(graph, weights)).speed }
  }

  /// What speed depends on: the machine, its threads and kernels, the arithmetic, and the disk.
  func speedKey(_ graph: Graph, _ weights: NetworkWeights) -> String {
    let arithmetic = graph.attention.map { "\($0.rawValue)-" } ?? ""
    let words = [
      ProcessInfo.processInfo.hostName, pool.kernels.name, "\(threads)",
      arithmetic + (weights.hasBytes ? "bytes" : "floats"),
      String(weights.device ?? 0, radix: 16),
    ]
    return words.joined(separator: "-").map {
      $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? "\($0)" : "_"
    }
    .joined()
  }
}

/// A speed that was measured, as a line in a file of the user's cache folder: what is missing or says anything else means
/// "measure".
package struct SpeedRecord {
  private let folder: String?
  private let place: String?

  package init(key: String, in folder: String? = UserCache.folder("speed")) {
    (self.folder, place) = (folder, folder.map { "\($0)/\(key)" })
  }

  package var speed: MachineSpeed? {
    guard let place, let bytes = try? FileReader.contents(of: place, limit: 1 << 10) else { return nil }
    let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    guard words.count == 4, words[0] == "speed", words[1] == "1", let multiplyAdds = Double(words[2]),
      let bytes = Double(words[3]), multiplyAdds.isFinite, bytes.isFinite, multiplyAdds > 0, bytes > 0
    else { return nil }
    return MachineSpeed(multiplyAddsPerSecond: multiplyAdds, bytesPerSecond: bytes)
  }

  /// That it could not be kept is no error.
  package func keep(_ speed: MachineSpeed) {
    guard let folder, let place, UserCache.makeFolder(folder) else { return }
    UserCache.write(
      "speed 1 \(Int(speed.multiplyAddsPerSecond)) \(Int(speed.bytesPerSecond))\n", to: place)
  }
}
