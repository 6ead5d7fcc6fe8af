import Kernels
import Platform

/// Seconds of the repetitions of one case.
struct Timing {
  var median: Double, best: Double

  /// One warm-up, then repetitions for about a second: at least 5, at most 50.
  init(_ body: () -> Void) {
    body()
    var seconds: [Double] = []
    let clock = ContinuousClock()
    let start = clock.now
    while seconds.count < 5 || (seconds.count < 50 && start.duration(to: clock.now) < .seconds(1)) {
      seconds.append(Self.once(body))
    }
    seconds.sort()
    (median, best) = (seconds[seconds.count / 2], seconds[0])
  }

  static func once(_ body: () -> Void) -> Double {
    let start = now()
    body()
    return now() - start
  }

  /// Threads that share the processor time of `--cpu`; 0: wall-clock time.
  nonisolated(unsafe) static var processorThreads = 0

  /// Wall-clock time, or, on a machine that others keep busy, this process's time divided by its threads.
  static func now() -> Double {
    var t = timespec()
    clock_gettime(processorThreads > 0 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t)
    return (Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9) / Double(max(1, processorThreads))
  }
}

/// One line of the report: a case, how much arithmetic or traffic it is, and how to run it with a pool.
struct Benchmark {
  var name: String, size: String
  /// Work of one run in `unit`, for instance 1e9 floating-point operations.
  var work: Double, unit: String
  var run: (ThreadPool) -> Void
  /// Where the work depends on the kernels chosen.
  var workOf: ((ThreadPool) -> Double)?

  func report(_ pool: ThreadPool, scalar: Bool) throws {
    let t = Timing { run(pool) }
    let work = workOf.map { $0(pool) } ?? work
    let rate = work / t.median
    var line =
      pad("\(name)_\(pool.kernels.name)", 34) + pad(size, 26) + pad("\(decimals(t.median * 1e3)) ms", 12)
    line += pad("\(decimals(t.median / t.best, 2))×best", 12) + pad("\(decimals(rate)) \(unit)", 16)
    if scalar {
      let plain = try ThreadPool(threads: pool.threads, kernels: .named("scalar")!)
      let twin = Timing.once { run(plain) }
      line += "\(decimals(rate * twin / (workOf.map { $0(plain) } ?? work)))×scalar"
    }
    print(line)
  }

  private func pad(_ s: String, _ width: Int) -> String {
    s + String(repeating: " ", count: max(1, width - s.count))
  }
}

/// `x` with a fixed number of decimals, without Foundation.
func decimals(_ x: Double, _ places: Int = 1) -> String {
  let factor = (0..<places).reduce(1.0) { product, _ in 10 * product }
  let whole = Int((x * factor).rounded())
  let digits = String(whole % Int(factor))
  return "\(whole / Int(factor)).\(String(repeating: "0", count: places - digits.count))\(digits)"
}
