import CKernels
import CPeak
import Kernels
import Platform

/// Multiply-adds a second that the pool's threads reach together: what no product can exceed, measured where it is
/// compared with.
struct Peak {
  /// Of floats, and of bytes, with operands in registers.
  private(set) var floats = 0.0, bytes = 0.0
  /// Whether they are of instructions; otherwise of one tile of a product from the first-level cache.
  let isOfInstructions: Bool

  init(_ pool: ThreadPool) {
    let set = pool.kernels.name
    guard let f32 = peak_f32(set), let s8 = peak_s8(set) else {
      isOfInstructions = false
      (floats, bytes) = (Self.rate(tileBenchmark(), pool), Self.rate(int8TileBenchmark(), pool))
      return
    }
    isOfInstructions = true
    (floats, bytes) = (Self.best(f32, pool), Self.best(s8, pool))
  }

  /// The best of short runs: whatever disturbs one makes it slower.
  private static func best(_ loop: @convention(c) () -> Double, _ pool: ThreadPool) -> Double {
    var best = 0.0
    for _ in 0..<30 {
      let done = UnsafeMutablePointer<Double>.allocate(capacity: pool.threads)
      defer { done.deallocate() }
      let seconds = Timing.once {
        pool.run(pool.threads) { index, _ in done[index] = (0..<20).reduce(0) { sum, _ in sum + loop() } }
      }
      best = max(best, (0..<pool.threads).reduce(0) { $0 + done[$1] } / seconds)
    }
    return best
  }

  private static func rate(_ tile: Benchmark, _ pool: ThreadPool) -> Double {
    let work = tile.workOf?(pool) ?? tile.work
    return work * 1e9 / 2 / Timing { tile.run(pool) }.best
  }
}
