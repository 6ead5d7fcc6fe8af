import Kernels
import Tensors
import TestSupport
import Testing

@Suite("Group norm") struct GroupNormTests {
  @Test(
    "agrees with two passes in double", arguments: KernelSet.runnable,
    [(7, 5, 6, 3), (13, 11, 32, 32), (9, 9, 40, 4), (17, 3, 70, 7)])
  func forward(set: KernelSet, _ shape: (h: Int, w: Int, c: Int, groups: Int)) {
    let e = Example(shape, mean: 0.5)
    let (y, stats) = e.forward(ThreadPool.of(3, kernels: set))
    let wanted = e.reference
    // Four roundings of values below |x̂|·|γ| + |β| ≤ 8.
    #expect(excess(y.values, wanted.y) { _ in 8 * 8 * unit } <= 0)
    #expect(excess(stats.values, wanted.stats) { 2 * unit * abs(wanted.stats[$0]) } <= 0)
  }

  @Test(
    "keeps its statistics under a mean of ten thousand standard deviations", arguments: KernelSet.runnable)
  func farMean(set: KernelSet) {
    let e = Example((31, 29, 8, 2), mean: 5000)
    let (_, stats) = e.forward(ThreadPool.of(1, kernels: set))
    // Squares are exact in double; E x² − μ² keeps 53 − 2·13 bits, the result is rounded to 24.
    #expect(excess(stats.values, e.reference.stats) { 4 * unit * abs(e.reference.stats[$0]) } <= 0)
  }

  @Test("gradient agrees with central differences", arguments: KernelSet.runnable)
  func gradient(set: KernelSet) {
    let e = Example((3, 4, 6, 2), mean: 0.3)
    let pool = ThreadPool.of(2, kernels: set)
    let (_, stats) = e.forward(pool)
    let dx = Buffer(e.x.type.shape)
    groupNormDX(e.x.ref, stats: stats.ref, gamma: e.gamma.ref, dy: e.dy.ref, into: dx.ref, pool)
    let wanted = centralDifferences(e.x.doubles) { x in
      zip(e.normalized(x, gamma: e.gamma.doubles, beta: e.beta.doubles), e.dy.doubles).reduce(0) {
        $0 + $1.0 * $1.1
      }
    }
    // Differences in double with step 1e-5 are good to 1e-9; the kernel rounds a dozen times.
    #expect(excess(dx.values, wanted) { _ in 1e-5 } <= 0)

    let (dGamma, dBeta) = (Buffer([6]), Buffer([6]))
    groupNormDParameters(
      e.x.ref, stats: stats.ref, dy: e.dy.ref, intoGamma: dGamma.ref, beta: dBeta.ref, pool)
    let wantedGamma = centralDifferences(e.gamma.doubles) { gamma in
      zip(e.normalized(e.x.doubles, gamma: gamma, beta: e.beta.doubles), e.dy.doubles)
        .reduce(0) { $0 + $1.0 * $1.1 }
    }
    #expect(excess(dGamma.values, wantedGamma) { _ in 1e-5 } <= 0)
    let wantedBeta = centralDifferences(e.beta.doubles) { beta in
      zip(e.normalized(e.x.doubles, gamma: e.gamma.doubles, beta: beta), e.dy.doubles).reduce(0) {
        $0 + $1.0 * $1.1
      }
    }
    #expect(excess(dBeta.values, wantedBeta) { _ in 1e-5 } <= 0)
  }

  @Test("gives the same bits with any number of threads, in place or not", arguments: [2, 3, 5])
  func threads(count: Int) {
    let e = Example((23, 19, 30, 6), mean: 1)
    let outputs = [1, count].map { threads in
      let pool = ThreadPool.of(threads)
      let (y, stats) = e.forward(pool)
      let dx = Buffer(e.x.type.shape, e.dy.values)
      groupNormDX(e.x.ref, stats: stats.ref, gamma: e.gamma.ref, dy: dx.ref, into: dx.ref, pool)
      return [y.values, stats.values, dx.values]
    }
    #expect(outputs[0] == outputs[1])
    let (y, stats) = (Buffer(e.x.type.shape, e.x.values), Buffer([6, 2]))
    groupNorm(
      y.ref, gamma: e.gamma.ref, beta: e.beta.ref, groups: 6, epsilon: e.epsilon, into: y.ref,
      stats: stats.ref,
      ThreadPool.of(2))
    #expect(y.values == outputs[0][0])
  }

  struct Example {
    let groups: Int, epsilon: Float = 1e-5
    let x: Buffer, gamma: Buffer, beta: Buffer, dy: Buffer

    init(_ s: (h: Int, w: Int, c: Int, groups: Int), mean: Float) {
      groups = s.groups
      x = Buffer(random: [s.h, s.w, s.c], seed: 1)
      for i in 0..<x.type.count { x.floats[i] += mean }
      (gamma, beta) = (Buffer(random: [s.c], seed: 2), Buffer(random: [s.c], seed: 3))
      dy = Buffer(random: [s.h, s.w, s.c], seed: 4)
    }

    func forward(_ pool: ThreadPool) -> (y: Buffer, stats: Buffer) {
      let (y, stats) = (Buffer(x.type.shape), Buffer([groups, 2]))
      groupNorm(
        x.ref, gamma: gamma.ref, beta: beta.ref, groups: groups, epsilon: epsilon, into: y.ref,
        stats: stats.ref,
        pool)
      return (y, stats)
    }

    var reference: (y: [Double], stats: [Double]) {
      (normalized(x.doubles, gamma: gamma.doubles, beta: beta.doubles), statistics(x.doubles))
    }

    func statistics(_ x: [Double]) -> [Double] {
      let (c, size) = (gamma.type.count, gamma.type.count / groups)
      return (0..<groups).flatMap { g -> [Double] in
        let values = x.indices.filter { $0 % c / size == g }.map { x[$0] }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        return [mean, 1 / (variance + Double(epsilon)).squareRoot()]
      }
    }

    func normalized(_ x: [Double], gamma: [Double], beta: [Double]) -> [Double] {
      let (s, c) = (statistics(x), gamma.count)
      return x.indices.map { i in
        let g = i % c / (c / groups)
        return (x[i] - s[2 * g]) * s[2 * g + 1] * gamma[i % c] + beta[i % c]
      }
    }
  }
}

@Suite("Layer norm") struct LayerNormTests {
  @Test("agrees with two passes in double", arguments: KernelSet.runnable, [1, 7, 16, 33, 320])
  func forward(set: KernelSet, columns: Int) {
    let e = GroupNormTests.Example((1, 1, columns, 1), mean: 2)
    let (y, stats) = run(e, ThreadPool.of(2, kernels: set))
    #expect(excess(y.values, e.reference.y) { _ in 8 * 8 * unit } <= 0)
    #expect(excess(stats.values, e.reference.stats) { 2 * unit * abs(e.reference.stats[$0]) } <= 0)
  }

  @Test("gradient agrees with central differences", arguments: KernelSet.runnable)
  func gradient(set: KernelSet) {
    let e = GroupNormTests.Example((1, 1, 37, 1), mean: 2)
    let pool = ThreadPool.of(1, kernels: set)
    let (_, stats) = run(e, pool)
    let dx = Buffer([1, 37])
    layerNormDX(row(e.x), stats: stats.ref, gamma: e.gamma.ref, dy: row(e.dy), into: dx.ref, pool)
    let wanted = centralDifferences(e.x.doubles) { x in
      zip(e.normalized(x, gamma: e.gamma.doubles, beta: e.beta.doubles), e.dy.doubles).reduce(0) {
        $0 + $1.0 * $1.1
      }
    }
    #expect(excess(dx.values, wanted) { _ in 1e-5 } <= 0)
  }

  private func row(_ b: Buffer) -> TensorRef { TensorRef(TensorType([1, b.type.count]), at: b.address) }

  private func run(_ e: GroupNormTests.Example, _ pool: ThreadPool) -> (y: Buffer, stats: Buffer) {
    let (y, stats) = (Buffer([1, e.x.type.count]), Buffer([1, 2]))
    layerNorm(
      row(e.x), gamma: e.gamma.ref, beta: e.beta.ref, epsilon: e.epsilon, into: y.ref, stats: stats.ref, pool)
    return (y, stats)
  }
}

/// d f/dx by differences of 1e-5 on both sides.
func centralDifferences(_ x: [Double], _ f: ([Double]) -> Double) -> [Double] {
  x.indices.map { i in
    var (up, down) = (x, x)
    up[i] += 1e-5
    down[i] -= 1e-5
    return (f(up) - f(down)) / 2e-5
  }
}
