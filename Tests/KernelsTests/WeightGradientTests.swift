import Kernels
import Tensors
import TestSupport
import Testing

/// Gradients of weights, over more rows than one turn of dy holds.
@Suite("Weight gradients") struct WeightGradientTests {
  @Test("of a linear layer agree with sums in double", arguments: KernelSet.runnable)
  func linear(set: KernelSet) {
    for (rows, k, n) in [(1, 1, 1), (5, 17, 16), (16, 16, 31), (257, 33, 7), (600, 20, 1040)] {
      let (x, dy) = (Buffer(random: [rows, k], seed: 1), Buffer(random: [rows, n], seed: 2))
      let dW = run(x, dy, ThreadPool.of(2, kernels: set))
      var wanted = [Double](repeating: 0, count: n * k)
      for r in 0..<rows {
        for o in 0..<n {
          let d = Double(dy.floats[r * n + o])
          for i in 0..<k { wanted[o * k + i] += d * Double(x.floats[r * k + i]) }
        }
      }
      // A chain of so many fused products of size 1, or separate ones with twice the roundings.
      let tolerance = 2 * Double(rows) * unit * Double(rows)
      #expect(excess(dW.values, wanted) { _ in tolerance } <= 0, "\(rows)×\(k)×\(n)")
    }
  }

  @Test(
    "of a convolution agree with sums in double", arguments: KernelSet.runnable, ConvolutionTests.cases)
  func convolution(set: KernelSet, c: ConvolutionTests.Case) {
    let size = c.geometry.outputSize(height: c.height, width: c.width, kernel: (c.kernel, c.kernel))
    let x = Buffer(random: [c.height, c.width, c.channels], seed: 1)
    let dy = Buffer(random: [size.height, size.width, c.outputs], seed: 2)
    let dW = run(x, dy, c, ThreadPool.of(2, kernels: set))
    var wanted = [Double](repeating: 0, count: dW.type.count)
    for i in 0..<size.height {
      for j in 0..<size.width {
        for ky in 0..<c.kernel {
          for kx in 0..<c.kernel {
            let yy = i * c.geometry.stride + ky - c.geometry.top
            let xx = j * c.geometry.stride + kx - c.geometry.left
            guard yy >= 0, yy < c.height, xx >= 0, xx < c.width else { continue }
            for o in 0..<c.outputs {
              let d = Double(dy.floats[(i * size.width + j) * c.outputs + o])
              for channel in 0..<c.channels {
                wanted[((o * c.kernel + ky) * c.kernel + kx) * c.channels + channel] +=
                  d * Double(x.floats[(yy * c.width + xx) * c.channels + channel])
              }
            }
          }
        }
      }
    }
    let rows = Double(size.height * size.width)
    #expect(excess(dW.values, wanted) { _ in 2 * rows * unit * rows } <= 0)
  }

  @Test(
    "have the same bits with any number of threads and every fused instruction set", arguments: [1, 3, 5])
  func threads(count: Int) {
    let (x, dy) = (Buffer(random: [700, 90], seed: 1), Buffer(random: [700, 1050], seed: 2))
    let fused = KernelSet.runnable.filter(\.sharesBits)
    guard let first = fused.first else { return }
    let wanted = run(x, dy, ThreadPool.of(2, kernels: first)).values
    for set in fused {
      #expect(run(x, dy, ThreadPool.of(count, kernels: set)).values == wanted)
    }
  }

  @Test("of a bias are sums in double over the rows", arguments: KernelSet.runnable, [1, 17, 40])
  func bias(set: KernelSet, columns: Int) {
    let (x, y) = (Buffer(random: [33, columns], seed: 1), Buffer([columns]))
    sumRows(x.ref, into: y.ref, ThreadPool.of(3, kernels: set))
    let wanted = (0..<columns).map { c in (0..<33).reduce(0.0) { $0 + Double(x.floats[$1 * columns + c]) } }
    #expect(y.values == wanted.map { Float($0) })
  }

  @Test("of a layer norm agree with central differences over many rows", arguments: KernelSet.runnable)
  func layerNorm(set: KernelSet) {
    let (rows, c) = (37, 21)
    let pool = ThreadPool.of(3, kernels: set)
    let (x, dy) = (Buffer(random: [rows, c], seed: 1), Buffer(random: [rows, c], seed: 2))
    let (gamma, beta) = (Buffer(random: [c], seed: 3), Buffer(random: [c], seed: 4))
    let (y, stats, dGamma, dBeta) = (Buffer([rows, c]), Buffer([rows, 2]), Buffer([c]), Buffer([c]))
    Kernels.layerNorm(
      x.ref, gamma: gamma.ref, beta: beta.ref, epsilon: 1e-5, into: y.ref, stats: stats.ref, pool)
    layerNormDParameters(x.ref, stats: stats.ref, dy: dy.ref, intoGamma: dGamma.ref, beta: dBeta.ref, pool)
    var (wantedGamma, wantedBeta) = ([Double](repeating: 0, count: c), [Double](repeating: 0, count: c))
    for r in 0..<rows {
      let row = x.doubles[r * c..<r * c + c]
      let mean = row.reduce(0, +) / Double(c)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(c)
      for i in 0..<c {
        let d = dy.doubles[r * c + i]
        wantedGamma[i] += d * (x.doubles[r * c + i] - mean) / (variance + 1e-5).squareRoot()
        wantedBeta[i] += d
      }
    }
    // Statistics, difference and product round, of |x̂| ≤ √21, in each of the rows.
    #expect(excess(dGamma.values, wantedGamma) { _ in 6 * 5 * Double(rows) * unit } <= 0)
    #expect(dBeta.values == wantedBeta.map { Float($0) })
  }

  private func run(_ x: Buffer, _ dy: Buffer, _ pool: ThreadPool) -> Buffer {
    let dW = Buffer([dy.type.shape[1], x.type.shape[1]])
    withScratch(linearDWScratchBytes(x: x.type, dy: dy.type, threads: pool.threads)) {
      linearDW(x.ref, dy: dy.ref, into: dW.ref, scratch: $0, pool)
    }
    return dW
  }

  private func run(_ x: Buffer, _ dy: Buffer, _ c: ConvolutionTests.Case, _ pool: ThreadPool) -> Buffer {
    let dW = Buffer([c.outputs, c.kernel, c.kernel, c.channels])
    withScratch(convolutionDWScratchBytes(x: x.type, dy: dy.type, dW: dW.type, threads: pool.threads)) {
      convolutionDW(x.ref, dy: dy.ref, c.geometry, into: dW.ref, scratch: $0, pool)
    }
    return dW
  }
}
