import Kernels
import Runtime
import Synchronization

/// Networks that stay open between runs that follow one another, where there is room for all of them: whoever asks for an
/// edit now and then does not wait for weights to be read again.
///
/// Only networks are kept whose weights are all in memory. Whether all of them fit is for the runs to say: one that needs
/// the room clears the shelf.
package final class NetworkShelf: Sendable {
  /// Of the run that the task is part of; nil where nothing is kept.
  @TaskLocal static var current: NetworkShelf?

  /// What makes a network another one.
  private struct Key: Hashable {
    let name: String
    let weights: String
    let outputs: [String]
    let inputs: [[Int]]
    let bytes: [Int]

    init(_ stage: Stage) {
      let (graph, plan) = (stage.graph, stage.plan)
      (name, weights, outputs) = (stage.name, stage.weights.label, plan.outputs.keys.sorted())
      let values = Set(graph.nodes.flatMap(\.inputs)).sorted { $0.id < $1.id }
      inputs = values.compactMap { value in
        if case .input = graph.origin(value) { graph.type(value).shape } else { nil }
      }
      bytes = [plan.arenaBytes, plan.lanes, plan.scratchBytes, plan.residentBytes, graph.nodes.count]
    }
  }

  /// One run at a time has it: it is off the shelf meanwhile.
  private struct Kept: @unchecked Sendable {
    let executor: Executor
    let bytes: Int
    /// Counts what is put back.
    let turn: Int
  }

  private let kept = Mutex<[Key: Kept]>([:])
  private let turns = Mutex(0)

  package init() {}

  /// Networks on it.
  package var count: Int { kept.withLock { $0.count } }

  /// Lets all of them go.
  package func clear() { kept.withLock { $0 = [:] } }

  /// Lets those go that a run has no use for, the longest unused first, until what is left of them fits beside it.
  ///
  /// - Parameter bytes: what the run leaves; nil where nothing is limited.
  func makeRoom(for stages: [Stage], leaving bytes: Int?) {
    let own = Set(stages.map(Key.init))
    kept.withLock { kept in
      let others = kept.filter { !own.contains($0.key) }.sorted { $0.value.turn > $1.value.turn }
      var (left, room) = (Self.mostOthers, bytes ?? Int.max)
      for (key, other) in others {
        room -= other.bytes
        left -= 1
        if room < 0 || left < 0 { kept[key] = nil }
      }
    }
  }

  /// Networks of other sizes, where memory is not limited: those of two runs.
  private static let mostOthers = 8

  /// A network, from the shelf of the task where it is there, else opened.
  ///
  /// - Throws: as an executor does.
  static func executor(of stage: Stage, _ pool: ThreadPool) throws -> Executor {
    let known = current?.kept.withLock { $0.removeValue(forKey: Key(stage)) }
    let executor =
      try known?.executor ?? Executor(stage.graph, stage.plan, weights: stage.weights, pool: pool)
    executor.missing = MemoryPressure.current?.missing
    return executor
  }

  /// Puts a network back that has done its work.
  static func keep(_ executor: Executor, of stage: Stage) {
    guard let current, stage.plan.isResident else { return }
    let turn = current.turns.withLock { turns in
      turns += 1
      return turns
    }
    let kept = Kept(executor: executor, bytes: stage.plan.peakBytes, turn: turn)
    current.kept.withLock { $0[Key(stage)] = kept }
  }
}

extension Plan {
  /// Whether all weights stay in memory.
  var isResident: Bool { windowBytes == 0 }
}
