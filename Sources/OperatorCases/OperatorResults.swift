import Kernels

/// What an operator and its gradients come to with the kernels of one set, for a comparison with another's.
package struct OperatorResults {
  /// One tensor of numbers, and how far it may be from plain loops.
  package struct Numbers {
    /// "result" or "∂/∂x"
    package let name: String
    package var values: [Float]
    package let tolerance: Double
  }

  /// The operator and how its matrices are stored.
  package let name: String
  package var all: [Numbers]

  /// A use of an operator: a case with its matrices stored in one way.
  package struct Use: Sendable {
    let subject: OperatorCase
    let storage: Storage

    package static func all(_ sizes: Sizes) -> [Use] {
      OperatorCase.all(sizes).flatMap { subject in
        subject.storages.map { Use(subject: subject, storage: $0) }
      }
    }
  }

  /// - Throws: `GraphError`
  package init(_ use: Use, _ pool: ThreadPool) throws {
    let (subject, storage) = (use.subject, use.storage)
    let wanted = subject.operands.filter { operand in
      operand.isRefusedBecause == nil && (storage.isTrained || operand.role == .input)
    }.map(\.name)
    let run = try OperatorRun(subject, stored: storage, gradientsOf: wanted, pool)
    run.run()
    name = subject.storages.count > 1 || !storage.isTrained ? "\(subject.name), \(storage)" : subject.name
    var all = [
      Numbers(name: "result", values: run.floats(run.output), tolerance: subject.forward.value)
    ]
    for name in wanted {
      all.append(
        Numbers(
          name: "∂/∂\(name)", values: run.floats(run.gradients[name]!), tolerance: subject.gradient.value))
    }
    self.all = all
  }

  /// The numbers of both that are further apart than twice what either may be from the truth.
  package func differences(from other: OperatorResults) -> [String] {
    zip(all, other.all).compactMap { mine, theirs in
      let worst = zip(mine.values, theirs.values).reduce(0.0) { worst, pair in
        let distance = Double(abs(pair.0 - pair.1))
        return distance.isNaN ? .infinity : max(worst, distance)
      }
      let isFine = mine.values.count == theirs.values.count && worst <= 2 * mine.tolerance
      return isFine ? nil : "\(name), \(mine.name): off by \(worst), allowed \(2 * mine.tolerance)"
    }
  }

  /// The numbers of both that are not the same bits.
  package func changes(from other: OperatorResults) -> [String] {
    zip(all, other.all).compactMap { mine, theirs in
      let isSame = mine.values.elementsEqual(theirs.values) { $0.bitPattern == $1.bitPattern }
      return isSame ? nil : "\(name), \(mine.name)"
    }
  }
}
