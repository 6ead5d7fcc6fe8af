import Kernels
import NeuralGraph
import OperatorCases
import Tensors

/// `pentimento-bench operators [pattern …] [--threads n] [--cpu]`
///
/// One line for every operator of every description (`OperatorCases`) at the sizes of Stable Diffusion 1.5, those of the
/// gradient beside those of the forward pass. Only lines that would contain a pattern run.
struct OperatorsMode: BenchMode {
  private var patterns: [String] = []
  private var threads = 2

  init(_ arguments: ArraySlice<String>) {
    var arguments = arguments
    while let argument = arguments.popFirst() {
      switch argument {
      case "--threads": threads = arguments.popFirst().flatMap { Int($0) } ?? threads
      case "--cpu": Timing.processorThreads = -1
      default: patterns.append(argument)
      }
    }
  }

  func run() async throws {
    if Timing.processorThreads < 0 { Timing.processorThreads = threads }
    let pool = try ThreadPool(threads: threads)
    print("\(pool.kernels), \(threads) threads")
    for subject in OperatorCase.all(.real) {
      for storage in subject.storages {
        let title =
          subject.storages.count > 1 || !storage.isTrained ? "\(subject.name), \(storage)" : subject.name
        try Self.measure(subject, storage, title, patterns, pool)
      }
    }
  }

  private static func measure(
    _ subject: OperatorCase, _ storage: Storage, _ title: String, _ patterns: [String], _ pool: ThreadPool
  ) throws {
    let small = OperatorCase.all(.small).first { $0.name == subject.name }!
    func wanted(_ subject: OperatorCase) -> [String] {
      subject.operands.filter { $0.isRefusedBecause == nil && (storage.isTrained || $0.role == .input) }
        .map(\.name)
    }
    // The small graph has the same nodes: it says whether a line is wanted before the real memory is there.
    let kinds = try OperatorRun(small, stored: storage, gradientsOf: wanted(small), pool).kinds
    func isWanted(_ index: Int) -> Bool {
      patterns.isEmpty || patterns.contains { "\(kinds[index]) \(title)".contains($0) }
    }
    guard kinds.indices.contains(where: isWanted) else { return }

    let run = try OperatorRun(subject, stored: storage, gradientsOf: wanted(subject), pool)
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
