import Foundation
import Kernels
import NeuralGraph
import Runtime
import Tensors
import TestSupport
import Testing
import WeightStorage

@Suite("Rows of a table") struct TableLookupTests {
  private static let (entries, width, count) = (3000, 24, 7)
  private let file: TemporaryCheckpoint
  private let graph: Graph
  private let keep: [String: Value]

  init() throws {
    file = try TemporaryCheckpoint([
      "words.weight": .random([Self.entries, Self.width], seed: 1),
      "norm.weight": .random([Self.width, Self.width], seed: 2),
    ])
    let builder = GraphBuilder()
    let ids = builder.root.input("ids", TensorType([Self.count], element: .i32))
    let y = try builder.root["words"].embedding(ids, entries: Self.entries, width: Self.width)
    let z = try builder.root["norm"].linear(y, to: Self.width, bias: false)
    (graph, keep) = (builder.graph, ["y": y, "z": z])
  }

  private let queries = [[5, 5, 0, 2999, 17, 5, 5], [1, 2, 3, 4, 2998, 2999, 2999]].map { ids in
    ["ids": HostTensor(shape: [count], values: ids.map(Float.init))]
  }

  private func run(_ plan: Plan) throws -> [[String: HostTensor]] {
    let executor = try Executor(
      graph, plan, weights: NetworkWeights(graph.weights, in: file.checkpoint), pool: ThreadPool(threads: 1))
    executor.poison()
    return try executor.run(queries)
  }

  @Test("are those that the indices name, bit for bit, for every lane, resident and streamed")
  func values() throws {
    let table = try file.checkpoint.floats("words.weight")
    let roomy = try Planner(threads: 1).plan(graph, keep: keep)
    let all = try run(roomy)
    for (query, result) in zip(queries, all) {
      let rows = query["ids"]!.values.flatMap { id in
        table[Int(id) * Self.width..<(Int(id) + 1) * Self.width]
      }
      #expect(result["y"]!.values == rows)
    }
    // One byte short of room for everything: the matrix is streamed, for two lanes at once.
    let tight = try Planner(threads: 1, budget: roomy.peakBytes + roomy.arenaBytes - 1, lanes: 2)
      .plan(graph, keep: keep)
    let least = try Planner(threads: 1, budget: roomy.peakBytes, lanes: 2).plan(graph, keep: keep)
    for plan in [tight, least] { #expect(try run(plan) == all) }
  }

  @Test("are all that a plan holds of it") func plan() throws {
    let plan = try Planner(threads: 1).plan(graph, keep: keep)
    let rows = Self.count * Self.width * 4
    #expect(plan.peakBytes - plan.stagingBytes < Self.entries * Self.width * 4 / 4)
    #expect(plan.scratchBytes >= rows + Self.count * 4)
    let matrix = try #require(graph.weights.first { $0.role == .matrix })
    #expect(plan.residentBytes == (matrix.type(storedAs: .f32).byteCount + 63) / 64 * 64)
  }

  @Test("say when the file was cut off") func truncated() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: folder) }
    let tensors = ["words.weight", "norm.weight"].reduce(into: [String: StoredTensor]()) { tensors, name in
      let values = try? file.checkpoint.floats(name)
      tensors[name] = StoredTensor(values!, shape: [values!.count / Self.width, Self.width])
    }
    try SafetensorsWriter.write(tensors, to: folder.path)
    let weights = try NetworkWeights(graph.weights, in: Checkpoint(file: folder.path))
    let plan = try Planner(threads: 1).plan(graph, keep: keep)
    let executor = try Executor(graph, plan, weights: weights, pool: ThreadPool(threads: 1))
    try FileHandle(forWritingTo: folder).truncate(atOffset: 4096)
    #expect(throws: WeightFileError.self) { _ = try executor.run(queries) }
  }
}
