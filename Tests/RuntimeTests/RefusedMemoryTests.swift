import Kernels
import NeuralGraph
import Platform
import Runtime
import Tensors
import TestSupport
import Testing

@Suite("Memory that the system refuses") struct RefusedMemoryTests {
  /// More than the 2^47 bytes of address space that a process has, whatever limits are set.
  private static let side = 1 << 22

  @Test("is an error that names the bytes, not the end of the process") func arena() throws {
    let builder = GraphBuilder()
    let x = builder.root.input("x", TensorType([Self.side, Self.side, 16]))
    let y = try builder.root.silu(x)
    let plan = try Planner(threads: 1).plan(builder.graph, keep: ["y": y])
    let file = try TemporaryCheckpoint(["w": .random([1], seed: 1)])
    let weights = try NetworkWeights(builder.graph.weights, in: file.checkpoint)
    #expect(throws: SystemRefusal.memory(bytes: plan.arenaBytes, code: ENOMEM)) {
      _ = try Executor(builder.graph, plan, weights: weights, pool: ThreadPool(threads: 1))
    }
  }
}
