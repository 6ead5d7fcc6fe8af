import Foundation
import Kernels
import NeuralGraph
import OperatorCases
import TestSupport
import Testing

/// Every operator from one description: its result and its gradient beside plain loops in double.
@Suite("Operators") struct OperatorTests {
  /// A case with its matrices stored in one way.
  struct Use: Sendable, CustomTestStringConvertible {
    var subject: OperatorCase
    var storage: Storage
    var testDescription: String { "\(subject.name), \(storage)" }

    /// What it can be differentiated by: weights only where they are trained.
    var wanted: [String] {
      subject.operands.filter { $0.isRefusedBecause == nil && (storage.isTrained || $0.role == .input) }
        .map(\.name)
    }

    func run(gradient: Bool = false, _ pool: ThreadPool = .of(2)) throws -> OperatorRun {
      let run = try OperatorRun(subject, stored: storage, gradientsOf: gradient ? wanted : [], pool)
      run.run()
      return run
    }

    static let all = OperatorCase.all(.small).flatMap { subject in
      subject.storages.map { Use(subject: subject, storage: $0) }
    }
    /// One layer or attention alone.
    static let products = all.filter { use in
      use.subject.adapters.isEmpty
        && use.subject.operands.contains { operand in
          operand.name == "q" || operand.role == .weight(.matrix) || operand.role == .weight(.convolution)
        }
    }
    static let ofWeights = all.filter { use in
      use.storage.element == .s8 && use.subject.operands.contains { $0.name.hasSuffix(".weight") }
    }
  }

  @Test("give what plain loops in double give", arguments: Use.all)
  func forward(use: Use) throws {
    for set in KernelSet.runnable {
      let run = try use.run(.of(2, kernels: set))
      var numbers = run.numbers
      if use.storage == .bytes || use.storage == .wide {
        numbers.values["x"] = dequantizedRows(
          numbers["x"], columns: numbers.columns("x"), isWide: use.storage == .wide)
      }
      let wanted = use.subject.evaluate(numbers)
      let y = run.floats(run.output)
      let worst = zip(y, wanted).map { abs(Double($0) - $1) }.max()!
      #expect(y.count == wanted.count && worst <= use.subject.forward.value, "\(set.name): off by \(worst)")
    }
  }

  @Test("have the gradient that central differences in double measure", arguments: Use.all)
  func gradient(use: Use) throws {
    let first = try use.run(gradient: true)
    let measured = use.wanted.map { name in
      (name, centralDifferences(of: use.subject, first.numbers, by: name, seed: first.seed))
    }
    for set in KernelSet.runnable {
      let run = try use.run(gradient: true, .of(2, kernels: set))
      for (name, wanted) in measured {
        let d = run.floats(try #require(run.gradients[name], "no ∂/∂\(name)"))
        let worst = zip(d, wanted).map { abs(Double($0) - $1) }.max()!
        // Quotients of differences of 1e-5 are good to a millionth of the sums in question.
        let tolerance = use.subject.gradient.value + 1e-7 * max(1, use.subject.gradient.size)
        #expect(d.count == wanted.count && worst <= tolerance, "\(set.name), ∂/∂\(name): off by \(worst)")
        #expect(d.contains { $0 != 0 })
      }
    }
  }

  @Test("give the same bits with any number of threads", arguments: Use.all)
  func threads(use: Use) throws {
    let runs = try [1, 2, 3].map { try use.run(gradient: true, .of($0)) }
    for run in runs.dropFirst() {
      #expect(run.floats(run.output) == runs[0].floats(runs[0].output))
      for name in use.wanted {
        #expect(run.floats(run.gradients[name]!) == runs[0].floats(runs[0].gradients[name]!), "∂/∂\(name)")
      }
    }
  }

  @Test(
    "give a gradient alone the bits it has among others, and emit no node that it does not read",
    arguments: Use.all)
  func onlyWanted(use: Use) throws {
    let forward = try OperatorRun(use.subject, stored: use.storage, .of(1)).graph.nodes.count
    let all = try use.run(gradient: true)
    for name in use.wanted {
      let one = try OperatorRun(use.subject, stored: use.storage, gradientsOf: [name], .of(2))
      one.run()
      #expect(one.floats(one.gradients[name]!) == all.floats(all.gradients[name]!), "∂/∂\(name)")
      let graph = one.graph
      var needed: Set = [one.gradients[name]!]
      for node in graph.nodes.reversed() where node.outputs.contains(where: needed.contains) {
        needed.formUnion(node.inputs)
      }
      let unread = graph.nodes.dropFirst(forward).filter { !$0.outputs.contains(where: needed.contains) }
      #expect(unread.isEmpty, "∂/∂\(name): \(unread.map { "\(type(of: $0.op))" })")
    }
  }

  @Test("refuse by name the gradient of weights stored as bytes", arguments: Use.ofWeights)
  func refusesBytes(use: Use) throws {
    let operand = try #require(use.subject.operands.first { $0.name.hasSuffix(".weight") })
    let kind = try #require(
      OperatorRun(use.subject, stored: use.storage, .of(1)).kinds.first { $0 != "GroupStatistics" })
    #expect(throws: GraphError.notDifferentiable(op: kind, input: "weight, scales or bias")) {
      _ = try OperatorRun(use.subject, stored: use.storage, gradientsOf: [operand.name], .of(1))
    }
  }

  @Test("refuse by name what no description has a gradient for")
  func refuses() throws {
    for subject in OperatorCase.all(.small) {
      for operand in subject.operands where operand.isRefusedBecause != nil {
        let kind = try OperatorRun(subject, stored: .trained, .of(1)).kinds[0]
        #expect(throws: GraphError.notDifferentiable(op: kind, input: operand.name)) {
          _ = try OperatorRun(subject, stored: .trained, gradientsOf: [operand.name], .of(1))
        }
      }
    }
  }

  @Test("count the products that they add up", arguments: Use.products)
  func multiplyAdds(use: Use) throws {
    let run = try use.run(gradient: true)
    var counts: [String: Int] = [:]
    for node in run.graph.nodes {
      counts["\(type(of: node.op))", default: 0] += node.op.multiplyAdds(node.inputs.map(run.graph.type))
    }
    let forward = try #require(run.kinds.first { counts[$0]! > 0 })
    // A gradient of a layer costs what the layer does, that of an attention's two products takes five.
    if forward.hasSuffix("Attention") {
      let shape = use.subject.operands.map(\.shape)
      let product = shape[0][0] * shape[1][0] * shape[0][1]
      #expect(counts[forward] == 2 * product && counts["AttentionDQKV"] == 5 * product)
    } else {
      let matrices = use.subject.operands.filter(\.isMatrix).map(\.shape)
      let rows = run.floats(run.output).count / matrices.last![0]
      let products = matrices.map { rows * $0.reduce(1, *) }
      #expect(counts[forward] == products.reduce(0, +))
      for (kind, count) in counts where count > 0 {
        // That of two layers together computes the first one again.
        let again = kind == "FeedForwardDX" ? products[0] : 0
        #expect(count == counts[forward]! + again, "\(kind)")
      }
    }
  }

  @Test("are all described: each has a gradient, belongs to one, or says why it has none")
  func coverage() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/NeuralGraph/Operators").standardizedFileURL
    var kinds: Set<String> = []
    for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        guard let start = line.range(of: "struct "), let end = line.range(of: ": Op {") else { continue }
        kinds.insert(String(line[start.upperBound..<end.lowerBound]))
      }
    }
    let described = Set(
      try Use.all.flatMap { use in
        try ([use.wanted] + use.wanted.map { [$0] }).flatMap {
          try OperatorRun(use.subject, stored: use.storage, gradientsOf: $0, .of(1)).kinds
        }
      })
    let excused = Set(OperatorCase.withoutGradient.keys)
    #expect(kinds.count > 30)
    #expect(kinds.subtracting(described).subtracting(excused) == [])
    #expect(excused.subtracting(kinds) == [] && excused.intersection(described) == [])
  }

  private func centralDifferences(
    of subject: OperatorCase, _ numbers: Numbers, by name: String, seed: [Double]
  ) -> [Double] {
    func loss(_ index: Int, _ shift: Double) -> Double {
      var moved = numbers
      moved.values[name]![index] += shift
      return zip(subject.evaluate(moved), seed).reduce(0) { $0 + $1.0 * $1.1 }
    }
    return numbers.values[name]!.indices.map { (loss($0, 1e-5) - loss($0, -1e-5)) / 2e-5 }
  }

  /// s·round(x/s) with s = max|x|/127 over every row, in the arithmetic of floats; of 16 bits, what this leaves in steps of
  /// s/254 too.
  private func dequantizedRows(_ x: [Double], columns: Int, isWide: Bool) -> [Double] {
    stride(from: 0, to: x.count, by: columns).flatMap { start -> [Double] in
      let row = x[start..<start + columns].map { Float($0) }
      let size = row.map(abs).max()!
      return row.map { value in
        let steps = value * (127 / size)
        let high = steps.rounded(.toNearestOrEven)
        let low = isWide ? ((steps - high) * 254).rounded(.toNearestOrEven) : 0
        return (Double(high) + Double(low) / 254) * Double(size / 127)
      }
    }
  }
}
