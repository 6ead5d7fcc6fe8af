import Editing

/// Brings together what several runs ask of one network. A run that asks waits until every other has asked too or has
/// ended; then all that was asked goes to the network in one list, in the order of the runs.
///
/// Nothing of it shows in an answer, since a predictor's answers do not depend on what else is in the list. Where a list
/// fails, each run's part is asked for by itself, so that the error comes to the run that it belongs to.
package actor PassGatherer {
  private struct Asked {
    var queries: [NoiseQuery]
    var answer: CheckedContinuation<[NoisePrediction], any Error>
  }

  /// Runs that have not ended.
  private var living: Set<Int>
  /// Those that wait for an answer.
  private var asked: [Int: Asked] = [:]
  private var driver: CheckedContinuation<Void, Never>?

  /// - Parameter runs: their numbers, 0 ..< runs.
  package init(runs: Int) { living = Set(0..<runs) }

  /// What one run asks; answered by `drive`.
  package func ask(_ queries: [NoiseQuery], by run: Int) async throws -> [NoisePrediction] {
    precondition(living.contains(run) && asked[run] == nil, "run \(run) asks while it waits or has ended")
    return try await withCheckedThrowingContinuation { answer in
      asked[run] = Asked(queries: queries, answer: answer)
      wakeDriver()
    }
  }

  /// The run asks nothing any more; nobody waits for it.
  package func leave(_ run: Int) {
    living.remove(run)
    wakeDriver()
  }

  /// Answers until all runs have ended.
  ///
  /// - Parameter isStopped: looked at before every pass; from then on all that ask are told `CancellationError`.
  package func drive(_ network: some NoisePredictor, isStopped: @Sendable () -> Bool) async {
    while !living.isEmpty {
      if asked.count < living.count { await withCheckedContinuation { driver = $0 } }
      guard !living.isEmpty else { return }
      // Whoever is alive waits: nothing is asked until these are answered.
      let round = asked.sorted { $0.key < $1.key }.map(\.value)
      asked = [:]
      guard !isStopped() else {
        for part in round { part.answer.resume(throwing: CancellationError()) }
        continue
      }
      do {
        var answers = try await network.predict(round.flatMap(\.queries))[...]
        for part in round {
          part.answer.resume(returning: Array(answers.prefix(part.queries.count)))
          answers = answers.dropFirst(part.queries.count)
        }
      } catch {
        await answerOneByOne(round, network, after: error)
      }
    }
  }

  private func answerOneByOne(
    _ round: [Asked], _ network: some NoisePredictor, after error: any Error
  ) async {
    for part in round {
      if round.count == 1 || error is CancellationError {
        part.answer.resume(throwing: error)
        continue
      }
      do { part.answer.resume(returning: try await network.predict(part.queries)) } catch {
        part.answer.resume(throwing: error)
      }
    }
  }

  private func wakeDriver() {
    guard asked.count == living.count else { return }
    driver?.resume()
    driver = nil
  }
}

/// The network as one of several runs sees it.
struct SharedPredictor: NoisePredictor {
  let gatherer: PassGatherer
  let run: Int
  let count: EvaluationCount

  func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
    try Task.checkCancellation()
    guard !queries.isEmpty else { return [] }
    let answers = try await gatherer.ask(queries, by: run)
    count.add(answers.count)
    return answers
  }
}
