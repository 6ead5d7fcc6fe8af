import Kernels
import Tensors
import TestSupport
import Testing

/// Linear layers and convolutions on quantized rows. The wanted values come from a direct loop over integers
/// with the float operations of `gemm_s8_fn` in their order, and are met to the bit by every set, so all
/// sets agree with one another.
@Suite("int8 layers") struct Int8LayerTests {
  @Test("a linear layer equals a direct loop exactly", arguments: KernelSet.runnable)
  func linear(set: KernelSet) {
    let pool = ThreadPool.of(2, kernels: set)
    let sizes =
      (1...17).map { ($0, 37, 33) } + [1, 3, 4, 5, 16, 31, 260].map { (7, $0, 18) }
      + [1, 15, 16, 17, 32, 40, 65].map { (13, 21, $0) } + [(400, 31, 70), (1, 1, 1)]
    for (rows, k, n) in sizes {
      let x = Self.rowsWithExtremes(rows, k)
      let (w, bias) = (QuantizedWeight(random: [n, k], seed: 2), Buffer(random: [n], seed: 3))
      let (q, s) = quantizedRows(x.values, columns: k)
      let v = w.quantized
      for b in [bias, nil] {
        var wanted = [Float]()
        for i in 0..<rows {
          for j in 0..<n {
            let sum = (0..<k).reduce(0) { $0 + q[i * k + $1] * v[j * k + $1] }
            wanted.append(s[i] * Float(sum) * w.scales.floats[j] + (b?.floats[j] ?? 0))
          }
        }
        #expect(run(x, w, b, pool).values == wanted, "\(rows)×\(k)×\(n)")
      }
    }
  }

  @Test("a linear layer of rows of 16 bits equals a direct loop exactly", arguments: KernelSet.runnable)
  func wide(set: KernelSet) {
    let pool = ThreadPool.of(2, kernels: set)
    for (rows, k, n) in [(1, 1, 1), (5, 4, 16), (13, 37, 33), (7, 260, 18), (400, 31, 70)] {
      let x = Self.rowsWithExtremes(rows, k)
      let (w, bias) = (QuantizedWeight(random: [n, k], seed: 2), Buffer(random: [n], seed: 3))
      let v = w.quantized
      var wanted: [Float] = []
      for i in 0..<rows {
        let row = x.values[i * k..<(i + 1) * k]
        let size = row.map(abs).max()!
        let steps = row.map { size == 0 ? 0 : $0 * (127 / size) }
        let high = steps.map { $0.rounded(.toNearestOrEven) }
        let low = zip(steps, high).map { (($0 - $1) * 254).rounded(.toNearestOrEven) }
        for j in 0..<n {
          func sum(_ q: [Float]) -> Float { Float((0..<k).reduce(0) { $0 + Int(q[$1]) * v[j * k + $1] }) }
          let both = size / 127 * sum(high) + size / 127 / 254 * sum(low)
          wanted.append(both * w.scales.floats[j] + bias.floats[j])
        }
      }
      #expect(run(x, w, bias, planes: 2, pool).values == wanted, "\(rows)×\(k)×\(n)")
    }
  }

  @Test("a convolution equals a direct loop exactly", arguments: KernelSet.runnable, ConvolutionTests.cases)
  func convolution(set: KernelSet, example: ConvolutionTests.Case) {
    let e = Example(example)
    #expect(e.run(ThreadPool.of(2, kernels: set)).values == e.wanted())
  }

  @Test("pixels outside the image add exactly nothing", arguments: KernelSet.runnable)
  func padding(set: KernelSet) {
    // Only the first tap has weights, all positive, so the pixels of the top row and the left column see
    // nothing but padding; an offset that is not taken back would show in full size.
    let c = ConvolutionTests.Case(
      height: 5, width: 6, channels: 9, outputs: 17, kernel: 3, geometry: .init(padding: 1))
    let weights = (0..<17 * 9 * 9).map { Float($0 % 9 == 0 ? 1 : 0) }
    let e = Example(c, weights: weights)
    for i in 0..<e.x.type.count { e.x.floats[i] = 1 }
    let (y, bias) = (e.run(ThreadPool.of(1, kernels: set)).values, e.bias.values)
    for p in 0..<30 {
      let isAlone = p < 6 || p % 6 == 0
      for o in 0..<17 {
        // 9 ones: 127·127·9 scaled twice by 1/127, each scale and product rounding once.
        let d = Double(y[p * 17 + o]) - Double(bias[o]) - (isAlone ? 0 : 9)
        #expect(isAlone ? d == 0 : abs(d) <= 10 * 8 * unit, "pixel \(p), output \(o)")
      }
    }
  }

  @Test("gives the same bits with any number of threads", arguments: ConvolutionTests.cases, [2, 3, 5])
  func threads(example: ConvolutionTests.Case, count: Int) {
    let e = Example(example)
    #expect(e.run(ThreadPool.of(1)).values == e.run(ThreadPool.of(count)).values)
    let (x, w) = (Self.rowsWithExtremes(500, 70), QuantizedWeight(random: [150, 70], seed: 2))
    let y = [1, count].map { run(x, w, nil, ThreadPool.of($0)).values }
    #expect(y[0] == y[1])
  }

  @Test("a row that is not finite spoils itself alone", arguments: KernelSet.runnable)
  func notFinite(set: KernelSet) {
    let (x, w) = (Buffer(random: [5, 20], seed: 1), QuantizedWeight(random: [18, 20], seed: 2))
    let pool = ThreadPool.of(1, kernels: set)
    let before = run(x, w, nil, pool).values
    (x.floats[2 * 20 + 3], x.floats[3 * 20]) = (.infinity, .nan)
    let after = run(x, w, nil, pool).values
    for i in 0..<5 {
      let row = i * 18..<i * 18 + 18
      #expect(i == 2 || i == 3 ? after[row].allSatisfy(\.isNaN) : after[row] == before[row], "row \(i)")
    }
  }

  /// With x = s·q + e, |e| ≤ s/2, and w = c·v + d, |d| ≤ c/2: |x·w − s·q·c·v| ≤ |x|·c/2 + |w|·s/2 + s·c/4.
  /// Roundings of scales and values move a half step by less than 2^−12 of it; the float operations, one
  /// product and one sum per tap and two at the end, by u each.
  @Test("stays within the bound of its quantization", arguments: ConvolutionTests.cases)
  func accuracy(example: ConvolutionTests.Case) {
    let e = Example(example)
    let y = e.run(ThreadPool.of(2)).doubles
    let s = quantizedRows(e.x.values, columns: example.channels).scales.map(Double.init)
    var wanted = y.indices.map { e.bias.doubles[$0 % example.outputs] }
    var (bound, size) = (y.map { _ in 0.0 }, wanted.map(abs))
    e.eachProduct { out, input, weight, _ in
      let (x, w) = (Double(e.x.floats[input]), Double(e.weight.values[weight]))
      let (s, c) = (s[input / example.channels], Double(e.weight.scales.floats[out % example.outputs]))
      wanted[out] += x * w
      bound[out] += (abs(x) * c + abs(w) * s + s * c / 2) / 2 * (1 + 0x1p-12)
      size[out] += abs(x * w)
    }
    let operations = Double(2 * example.kernel * example.kernel + 6)
    var (signal, noise) = (0.0, 0.0)
    for i in y.indices {
      #expect(abs(y[i] - wanted[i]) <= bound[i] + operations * unit * (size[i] + bound[i]))
      signal += wanted[i] * wanted[i]
      noise += (y[i] - wanted[i]) * (y[i] - wanted[i])
    }
    // Steps of 1/127 on values spread evenly over −1…1 put the noise of each factor 47.9 dB below it, of
    // both 44.9 dB; half as good would be wrong.
    #expect(signal > noise * 12_600, "\(signal / noise)")
  }

  /// Random rows; the third is zero, the fourth all 1, the fifth alternates between its extremes.
  static func rowsWithExtremes(_ rows: Int, _ k: Int) -> Buffer {
    let x = Buffer(random: [rows, k], seed: 1)
    for i in 2..<min(max(rows, 2), 5) {
      for j in 0..<k { x.floats[i * k + j] = i == 2 ? 0 : i == 3 || j % 2 == 0 ? 1 : -1 }
    }
    return x
  }

  private func run(
    _ x: Buffer, _ w: QuantizedWeight, _ bias: Buffer?, planes: Int = 1, _ pool: ThreadPool
  ) -> Buffer {
    let q = QuantizedRows(x, planes: planes, pool)
    let y = Buffer([x.type.shape[0], w.checkpointShape[0]])
    let bytes = int8LinearScratchBytes(
      x: x.type, weight: w.panels.type, planes: planes, threads: pool.threads)
    withScratch(bytes) { scratch in
      withExtendedLifetime(q) {
        Kernels.linear(q.rows, weight: w.weight, bias: bias?.ref, into: y.ref, scratch: scratch, pool)
      }
    }
    return y
  }

  /// Operands of a convolution, a direct loop over its integers, and the call.
  struct Example {
    let c: ConvolutionTests.Case, size: (height: Int, width: Int)
    let x: Buffer, bias: Buffer, weight: QuantizedWeight

    init(_ c: ConvolutionTests.Case, weights: [Float]? = nil) {
      self.c = c
      size = c.geometry.outputSize(height: c.height, width: c.width, kernel: (c.kernel, c.kernel))
      x = Buffer(random: [c.height, c.width, c.channels], seed: 1)
      bias = Buffer(random: [c.outputs], seed: 3)
      let shape = [c.outputs, c.channels, c.kernel, c.kernel]
      weight = QuantizedWeight(shape, weights ?? Random(2).floats(shape.reduce(1, *)))
    }

    func run(_ pool: ThreadPool) -> Buffer {
      let q = QuantizedRows(x, pool)
      let y = Buffer([size.height, size.width, c.outputs])
      let bytes = int8ConvolutionScratchBytes(
        x: x.type, weight: weight.panels.type, c.geometry, threads: pool.threads)
      withScratch(bytes) { scratch in
        withExtendedLifetime(q) {
          Kernels.convolution(
            q.rows, weight: weight.weight, bias: bias.ref, c.geometry, into: y.ref, scratch: scratch, pool)
        }
      }
      return y
    }

    /// bias + scale·Σ_tap s·float(Σ_c q·v), taps in order and those outside left out.
    func wanted() -> [Float] {
      let (q, s) = quantizedRows(x.values, columns: c.channels)
      let v = weight.quantized
      let (count, taps) = (size.height * size.width * c.outputs, c.kernel * c.kernel)
      var sums = [Int](repeating: 0, count: count * taps)
      var scales = [Float](repeating: 0, count: count * taps)
      eachProduct { out, input, weight, tap in
        sums[out * taps + tap] += q[input] * v[weight]
        scales[out * taps + tap] = s[input / c.channels]
      }
      return (0..<count).map { out in
        var y: Float = 0
        for tap in 0..<taps { y += scales[out * taps + tap] * Float(sums[out * taps + tap]) }
        return y * weight.scales.floats[out % c.outputs] + bias.floats[out % c.outputs]
      }
    }

    func eachProduct(_ body: (_ out: Int, _ input: Int, _ weight: Int, _ tap: Int) -> Void) {
      ConvolutionTests.eachProduct(c, body)
    }
  }
}
