import Foundation
import Kernels
import NeuralGraph
import Runtime
import Tensors
import TestSupport
import Testing
import WeightStorage

/// y = x + w over rows of C channels.
private struct Shift: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func run(_ io: borrowing OpIO) {
    let (x, w) = (io.inputs[0].address, io.inputs[1].address)
    let y = io.outputs[0].address.assumingMemoryBound(to: Float.self)
    let count = io.outputs[0].type.shape.last!
    for i in 0..<io.outputs[0].type.count {
      y[i] =
        x.load(fromByteOffset: i * 4, as: Float.self)
        + w.load(fromByteOffset: i % count * 4, as: Float.self)
    }
  }
}

/// A chain of layers whose weights lie in a container of their own.
private final class Chain {
  static let sizes = [3000, 64, 70_000, 3000, 16, 20_000, 50_000, 20_000, 64, 60_000, 30_000]
  let graph: Graph
  let keep: [String: Value]
  let checkpoint: Checkpoint
  let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors").path

  init() throws {
    let builder = GraphBuilder()
    let g = builder.root
    var sum = g.input("x0", TensorType([1, Self.sizes[0]]))
    var outputs: [String: Value] = [:]
    for (i, size) in Self.sizes.enumerated() {
      if i > 0 { sum = g.input("x\(i)", TensorType([1, size])) }
      sum = try g.emit(Shift(), [sum, g.weight("w\(i)", [size], .vector)])[0]
      outputs["y\(i)"] = sum
    }
    (graph, keep) = (builder.graph, outputs)
    let names = Self.sizes.indices.map { "net.w\($0)" }
    let writer = try ContainerWriter(path: path, names: names, metadataBytes: 4096)
    for (i, size) in Self.sizes.enumerated() {
      try writer.begin(names[i], .f32, [size])
      try writer.append(HostTensor.random([size], seed: UInt64(i + 1)).values)
      writer.endTensor()
    }
    try writer.finish(metadata: [:])
    checkpoint = try ContainerFile(SafetensorsFile(path: path)).weights(of: "net")
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var passBytes: Int { Self.sizes.reduce(0) { $0 + 4 * $1 } }

  /// - Parameter ahead: bytes beside the largest block.
  func executor(streaming: Bool, ahead: Int = 0) throws -> Executor {
    func plan(_ budget: Int?) throws -> Plan {
      try Planner(threads: 1, budget: budget, isMapped: { _ in true }).plan(graph, keep: keep)
    }
    let whole = try plan(nil)
    let budget = whole.peakBytes - whole.residentBytes + 4 * Self.sizes.max()! + ahead
    let executor = try Executor(
      graph, streaming ? plan(budget) : whole, weights: NetworkWeights(graph.weights, in: checkpoint),
      pool: ThreadPool(threads: 1))
    executor.poison()
    return executor
  }

  func query(_ seed: UInt64) -> [String: HostTensor] {
    Dictionary(
      uniqueKeysWithValues: Self.sizes.enumerated().map {
        ("x\($0)", .random([1, $1], seed: seed + UInt64($0)))
      })
  }
}

@Suite("Weights that are read ahead", .serialized) struct WeightStreamTests {
  @Test(
    "give the same bits as those that stay, with and without room to read ahead", arguments: [0, 290_000])
  func sameBits(ahead: Int) throws {
    let chain = try Chain()
    let queries = (1...3).map { chain.query(UInt64($0) * 100) }
    let expected = try chain.executor(streaming: false).run(queries)
    let executor = try chain.executor(streaming: true, ahead: ahead)
    #expect((executor.plan.readAheadBytes > 0) == (ahead > 0) && executor.plan.windowBytes > 0)
    #expect(try executor.run(queries) == expected)
  }

  @Test("are read once for every pass, into the next pass too, and never more than one window beyond")
  func bytes() throws {
    let chain = try Chain()
    let executor = try chain.executor(streaming: true, ahead: 290_000)
    let perPass = chain.passBytes - executor.plan.residentBytes
    _ = try executor.run([chain.query(1), chain.query(2)])
    #expect(executor.traffic.passes == 2 && executor.traffic.bytes == 2 * perPass)
    #expect(executor.streamedBytes == 2 * perPass)
    // What is read for a run that was announced is not read again by it.
    _ = try executor.run([chain.query(3)], goesOn: true)
    _ = try executor.run([chain.query(4)])
    #expect(executor.traffic.bytes == 4 * perPass)
  }

  @Test("leave nothing in the page cache behind them") func pageCache() throws {
    let chain = try Chain()
    let executor = try chain.executor(streaming: true)
    _ = try executor.run([chain.query(1)])
    let streamed = Chain.sizes.indices.filter {
      executor.plan.residentOffset.isEmpty && Chain.sizes[$0] > 4096
    }
    #expect(!streamed.isEmpty)
    for i in streamed {
      #expect(try !chain.checkpoint.isCached("w\(i)", rows: 0..<Chain.sizes[i]), "w\(i) is cached")
    }
  }

  @Test("are right after a run that was cut short") func cutShort() throws {
    struct Stop: Error {}
    let chain = try Chain()
    let expected = try chain.executor(streaming: false).run([chain.query(1)])
    let executor = try chain.executor(streaming: true, ahead: 290_000)
    for stop in 1..<Chain.sizes.count {
      var nodes = 0
      executor.onNode = { _, _ in
        nodes += 1
        if nodes == stop { throw Stop() }
      }
      #expect(throws: Stop.self) { _ = try executor.run([chain.query(7)], goesOn: true) }
      executor.onNode = nil
      #expect(try executor.run([chain.query(1)]) == expected)
    }
  }

  @Test("whose file was cut off are an error that names it") func truncated() throws {
    let chain = try Chain()
    let executor = try chain.executor(streaming: true)
    _ = try executor.run([chain.query(1)])
    truncate(chain.path, 200_000)
    do {
      _ = try executor.run([chain.query(1)])
      Issue.record("the end of the file was not missed")
    } catch let error as WeightFileError {
      guard case .file(.truncated(let file, _, _)) = error else { throw error }
      #expect(file == chain.path)
    }
  }

  @Test("whose file was written over end the run with an error") func changed() throws {
    let chain = try Chain()
    let executor = try chain.executor(streaming: true)
    _ = try executor.run([chain.query(1)])
    usleep(20_000)  // a tick of the clock that stamps files
    let file = try #require(FileHandle(forWritingAtPath: chain.path))
    try file.seek(toOffset: 100_000)
    try file.write(contentsOf: [1, 2, 3])
    try file.close()
    #expect(throws: WeightFileError.changed(file: chain.path)) { _ = try executor.run([chain.query(1)]) }
  }

  @Test("that were to stay give way where memory becomes scarce, and the bits stay the same") func pressure()
    throws
  {
    let chain = try Chain()
    let queries = (1...3).map { chain.query(UInt64($0) * 10) }
    let expected = try queries.map { try chain.executor(streaming: false).run([$0])[0] }
    let executor = try chain.executor(streaming: false)
    #expect(try executor.run([queries[0]])[0] == expected[0] && executor.yieldedBytes == 0)
    var scarce = 300_000
    executor.missing = { scarce }
    #expect(try executor.run([queries[1]])[0] == expected[1])
    let last = 4 * Chain.sizes.max()!
    #expect((300_000..<300_000 + last).contains(executor.yieldedBytes))
    scarce = 10_000_000
    #expect(try executor.run([queries[2]])[0] == expected[2])
    #expect(executor.yieldedBytes == chain.passBytes, "more than all is missing")
    for i in Chain.sizes.indices where Chain.sizes[i] > 4096 {
      #expect(try !chain.checkpoint.isCached("w\(i)", rows: 0..<Chain.sizes[i]), "w\(i) is cached")
    }
  }
}
