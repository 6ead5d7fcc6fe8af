import Kernels
import Tensors
import TestSupport
import Testing

@Suite("Linear") struct LinearTests {
  /// A chain of K fused products is off by at most K·u·Σ|x·w|, of separate ones by twice that.
  @Test(
    "agrees with a sum in double", arguments: KernelSet.runnable, [ElementType.f32, .f16, .bf16])
  func agrees(set: KernelSet, element: ElementType) {
    let pool = ThreadPool.of(2, kernels: set)
    for (rows, k, n) in [(1, 1, 1), (5, 17, 16), (12, 256, 31), (13, 257, 33), (77, 300, 48), (400, 31, 70)] {
      let x = Buffer(random: [rows, k], seed: 1)
      let (w, wide) = makeWeight([n, k], element: element, seed: 2)
      let (bias, y) = (Buffer(random: [n], seed: 3), Buffer([rows, n]))
      run(x, w, bias, y, pool)
      var (wanted, size) = ([Double](), [Double]())
      for i in 0..<rows {
        for j in 0..<n {
          let terms = (0..<k).map { Double(x.floats[i * k + $0]) * wide[j * k + $0] } + [bias.doubles[j]]
          wanted.append(terms.reduce(0, +))
          size.append(terms.reduce(0) { $0 + abs($1) })
        }
      }
      #expect(excess(y.values, wanted) { Double(2 * (k + 1)) * unit * size[$0] } <= 0, "\(rows)×\(k)×\(n)")
    }
  }

  @Test(
    "input gradient agrees with a sum in double", arguments: KernelSet.runnable,
    [ElementType.f32, .f16, .bf16])
  func gradient(set: KernelSet, element: ElementType) {
    let pool = ThreadPool.of(2, kernels: set)
    for (rows, k, n) in [(1, 1, 1), (5, 17, 16), (12, 40, 300), (13, 33, 257), (77, 48, 31)] {
      let (dy, dx) = (Buffer(random: [rows, n], seed: 1), Buffer([rows, k]))
      let (w, wide) = makeWeight([n, k], element: element, seed: 2)
      runDX(dy, w, dx, pool)
      var (wanted, size) = ([Double](), [Double]())
      for i in 0..<rows {
        for c in 0..<k {
          let terms = (0..<n).map { Double(dy.floats[i * n + $0]) * wide[$0 * k + c] }
          wanted.append(terms.reduce(0, +))
          size.append(terms.reduce(0) { $0 + abs($1) })
        }
      }
      #expect(excess(dx.values, wanted) { Double(2 * n) * unit * size[$0] } <= 0, "\(rows)×\(k)×\(n)")
    }
  }

  @Test("gives the same bits with any number of threads and in both directions", arguments: [1, 2, 3, 5])
  func threads(count: Int) {
    let (rows, k, n) = (500, 300, 150)
    let (x, dy) = (Buffer(random: [rows, k], seed: 1), Buffer(random: [rows, n], seed: 4))
    let (w, _) = makeWeight([n, k], element: .f16, seed: 2)
    let outputs = [1, count].map { threads in
      let (y, dx, pool) = (Buffer([rows, n]), Buffer([rows, k]), ThreadPool.of(threads))
      run(x, w, nil, y, pool)
      runDX(dy, w, dx, pool)
      return y.values + dx.values
    }
    #expect(outputs[0] == outputs[1])
  }

  @Test("gives a row the same bits alone as among others", arguments: KernelSet.runnable)
  func rowIndependence(set: KernelSet) {
    let (rows, k, n) = (29, 513, 50)
    let pool = ThreadPool.of(1, kernels: set)
    let x = Buffer(random: [rows, k], seed: 1)
    let (w, _) = makeWeight([n, k], element: .bf16, seed: 2)
    let together = Buffer([rows, n])
    run(x, w, nil, together, pool)
    for row in 0..<rows {
      let (one, y) = (Buffer([1, k], Array(x.values[row * k..<row * k + k])), Buffer([1, n]))
      run(one, w, nil, y, pool)
      #expect(y.values == Array(together.values[row * n..<row * n + n]), "row \(row)")
    }
  }

  @Test("gives the same bits with every fused instruction set")
  func instructionSets() {
    let x = Buffer(random: [30, 700], seed: 1)
    let (w, _) = makeWeight([70, 700], element: .f16, seed: 2)
    let outputs = KernelSet.runnable.filter(\.sharesBits).map { set in
      let y = Buffer([30, 70])
      run(x, w, nil, y, ThreadPool.of(2, kernels: set))
      return y.values
    }
    for output in outputs { #expect(output == outputs[0]) }
  }

  private func run(_ x: Buffer, _ w: Buffer, _ bias: Buffer?, _ y: Buffer, _ pool: ThreadPool) {
    withScratch(linearScratchBytes(x: x.type, weight: w.type, threads: pool.threads)) {
      linear(x.ref, weight: w.ref, bias: bias?.ref, into: y.ref, scratch: $0, pool)
    }
  }

  private func runDX(_ dy: Buffer, _ w: Buffer, _ dx: Buffer, _ pool: ThreadPool) {
    withScratch(linearDXScratchBytes(dy: dy.type, weight: w.type, threads: pool.threads)) {
      linearDX(dy.ref, weight: w.ref, into: dx.ref, scratch: $0, pool)
    }
  }
}
