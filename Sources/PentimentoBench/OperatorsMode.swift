import Kernels
import NeuralGraph
import OperatorCases
import Tensors

/// `pentimento-bench operators [pattern …] [--threads n] [--cpu] [--digest]`
///
/// One line for every operator of every description (`OperatorCases`) at the sizes of Stable Diffusion 1.5, those of the
/// gradient beside those of the forward pass. Only lines that would contain a pattern run.
///
/// --digest, instead of a time, prints what was computed at small sizes: "digest operator, case", in the order of the
/// graph, so that of the operators of a case that differ on two machines the first is at fault.
struct OperatorsMode: BenchMode {
  private var patterns: [String] = []
  private var threads = 2
  private var digests = false

  init(_ arguments: ArraySlice<String>) {
    var arguments = arguments
    while let argument = arguments.popFirst() {
      switch argument {
      case "--threads": threads = arguments.popFirst().flatMap { Int($0) } ?? threads
      case "--cpu": Timing.processorThreads = -1
      case "--digest": digests = true
      default: patterns.append(argument)
      }
    }
  }

  func run() async throws {
    if Timing.processorThreads < 0 { Timing.processorThreads = threads }
    let pool = try ThreadPool(threads: threads)
    if !digests { print("\(pool.kernels), \(threads) threads") }
    for subject in OperatorCase.all(digests ? .small : .real) {
      for storage in subject.storages {
        let title =
          subject.storages.count > 1 || !storage.isTrained ? "\(subject.name), \(storage)" : subject.name
        if digests {
          try Self.digest(subject, storage, title, pool)
        } else {
          try Self.measure(subject, storage, title, patterns, pool)
        }
      }
    }
  }

  private static func digest(_ subject: OperatorCase, _ storage: Storage, _ title: String, _ pool: ThreadPool)
    throws
  {
    let run = try OperatorRun(subject, stored: storage, gradientsOf: differentiable(subject, storage), pool)
    let kinds = run.kinds
    for index in run.graph.nodes.indices {
      run.run(node: index)
      let digits = String(run.digest(node: index), radix: 16)
      print(String(repeating: "0", count: 16 - digits.count) + digits, "\(kinds[index]), \(title)")
    }
  }

  private static func differentiable(_ subject: OperatorCase, _ storage: Storage) -> [String] {
    subject.operands.filter { $0.isRefusedBecause == nil && (storage.isTrained || $0.role == .input) }
      .map(\.name)
  }

  private static func measure(
    _ subject: OperatorCase, _ storage: Storage, _ title: String, _ patterns: [String], _ pool: ThreadPool
  ) throws {
    let small = OperatorCase.all(.small).first { $0.name == subject.name }!
    // The small graph has the same nodes: it says whether a line is wanted before the real memory is there.
    let kinds = try OperatorRun(small, stored: storage, gradientsOf: differentiable(small, storage), pool)
      .kinds
    func isWanted(_ index: Int) -> Bool {
      patterns.isEmpty || patterns.contains { "\(kinds[index]) \(title)".contains($0) }
    }
    guard kinds.indices.contains(where: isWanted) else { return }

    let run = try OperatorRun(subject, stored: storage, gradientsOf: differentiable(subject, storage), pool)
    run.run()
    for (index, node) in run.graph.nodes.enumerated() where isWanted(index) {
      let types = node.inputs.map(run.graph.type)
      let products = node.op.multiplyAdds(types)
      let bytes = (types + node.outputs.map(run.graph.type)).reduce(0) { $0 + $1.byteCount }
      try Benchmark(
        name: kinds[index], size: title, work: Double(products > 0 ? 2 * products : bytes) * 1e-9,
        unit: products > 0 ? "GFLOP/s" : "GB/s"
      ) { _ in run.run(node: index) }.report(pool, scalar: false)
    }
  }
}
