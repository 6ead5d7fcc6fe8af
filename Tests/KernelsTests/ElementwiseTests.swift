import Kernels
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite("Activations") struct ActivationTests {
  /// −30…30 and the neighbourhood of 0, an odd number of values.
  static let grid = (-3000...3000).map { Float($0) / 100 } + (-500...500).map { Float($0) / 1e5 }

  /// x·(error of the factor): the factor lies in 0…1 and is off by a few units of its rounding.
  static func tolerance(_ x: Float, units: Double) -> Double { units * unit * (abs(Double(x)) + 0x1p-20) }

  static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
  static func cdf(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
  static func density(_ x: Double) -> Double { exp(-x * x / 2) / (2 * Double.pi).squareRoot() }

  @Test("silu, gelu and quickGELU agree with double", arguments: KernelSet.runnable)
  func forward(set: KernelSet) {
    let pool = ThreadPool.of(2, kernels: set)
    let x = Buffer([Self.grid.count], Self.grid)
    let functions: [(TensorRef, TensorRef, ThreadPool) -> Void] = [
      { silu($0, into: $1, $2) }, { gelu($0, into: $1, $2) }, { quickGELU($0, into: $1, $2) },
    ]
    let wanted: [(Double) -> Double] = [
      { $0 * Self.sigmoid($0) }, { $0 * Self.cdf($0) }, { $0 * Self.sigmoid(1.702 * $0) },
    ]
    for (function, truth) in zip(functions, wanted) {
      let y = Buffer([Self.grid.count])
      function(x.ref, y.ref, pool)
      #expect(excess(y.values, x.doubles.map(truth)) { Self.tolerance(Self.grid[$0], units: 5) } <= 0)
    }
  }

  @Test("their gradients agree with double", arguments: KernelSet.runnable)
  func gradients(set: KernelSet) {
    let pool = ThreadPool.of(2, kernels: set)
    let (x, dy) = (Buffer([Self.grid.count], Self.grid), Buffer(random: [Self.grid.count], seed: 1))
    func logistic(_ x: Double, _ c: Double) -> Double {
      let s = Self.sigmoid(c * x)
      return s + c * x * s * (1 - s)
    }
    let functions: [(TensorRef, TensorRef, TensorRef, ThreadPool) -> Void] = [
      { siluDX($0, dy: $1, into: $2, $3) }, { geluDX($0, dy: $1, into: $2, $3) },
      { quickGELUDX($0, dy: $1, into: $2, $3) },
    ]
    let wanted: [(Double) -> Double] = [
      { logistic($0, 1) }, { Self.cdf($0) + $0 * Self.density($0) }, { logistic($0, 1.702) },
    ]
    for (function, truth) in zip(functions, wanted) {
      let dx = Buffer([Self.grid.count])
      function(x.ref, dy.ref, dx.ref, pool)
      let exact = zip(x.doubles, dy.doubles).map { truth($0) * $1 }
      // The largest slope is 1.13; x·s·(1 − s) multiplies the error of 1 − s by |x| ≤ 30.
      #expect(excess(dx.values, exact) { (8 + 2 * Double(abs(Self.grid[$0]))) * unit } <= 0)
    }
  }

  @Test("geglu gates the first half with the second, and so does its gradient", arguments: KernelSet.runnable)
  func gated(set: KernelSet) {
    let pool = ThreadPool.of(2, kernels: set)
    for (rows, c) in [(1, 1), (3, 17), (5, 300)] {
      let (x, dy) = (Buffer(random: [rows, 2 * c], seed: 1, scale: 3), Buffer(random: [rows, c], seed: 2))
      let y = Buffer([rows, c])
      geglu(x.ref, into: y.ref, pool)
      gegluDX(x.ref, dy: dy.ref, into: x.ref, pool)  // over its own input
      let before = Buffer(random: [rows, 2 * c], seed: 1, scale: 3).doubles
      var (wanted, dWanted) = ([Double](), [Double](repeating: 0, count: rows * 2 * c))
      for r in 0..<rows {
        for j in 0..<c {
          let (value, gate, d) = (before[r * 2 * c + j], before[r * 2 * c + c + j], dy.doubles[r * c + j])
          wanted.append(value * gate * Self.cdf(gate))
          dWanted[r * 2 * c + j] = d * gate * Self.cdf(gate)
          dWanted[r * 2 * c + c + j] = d * value * (Self.cdf(gate) + gate * Self.density(gate))
        }
      }
      // |value·gate| ≤ 9, |value|·slope ≤ 3.4, each with fewer than 8 roundings.
      #expect(excess(y.values, wanted) { _ in 8 * 9 * unit } <= 0)
      #expect(excess(x.values, dWanted) { _ in 8 * 9 * unit } <= 0)
    }
  }
}

@Suite("Elementwise and rearranging") struct ElementwiseTests {
  let pool = ThreadPool.of(3)

  @Test("add, multiply and scale are exact and may write over an input")
  func arithmetic() {
    let (a, b) = (Buffer(random: [101, 203], seed: 1), Buffer(random: [101, 203], seed: 2))
    let (x, y) = (a.values, b.values)
    add(a.ref, b.ref, into: a.ref, pool)
    #expect(a.values == zip(x, y).map { $0 + $1 })
    scale(b.ref, by: 0.3, into: b.ref, pool)
    #expect(b.values == y.map { $0 * 0.3 })
    multiply(a.ref, a.ref, into: a.ref, pool)
    let sums = zip(x, y).map { $0 + $1 }
    #expect(a.values == sums.map { $0 * $0 })
  }

  @Test("relu, affine, addScaled and softLimit agree with double, and NaN stays NaN")
  func units() {
    let (a, b, y) = (
      Buffer(random: [101, 203], seed: 1, scale: 9), Buffer(random: [101, 203], seed: 2), Buffer([101, 203])
    )
    relu(a.ref, into: y.ref, pool)
    #expect(y.values == a.values.map { max($0, 0) })
    // Two roundings of values below 2·9 + 9; a fused multiplication saves one.
    affine(a.ref, by: 2, plus: -0.75, into: y.ref, pool)
    #expect(excess(y.values, a.doubles.map { 2 * $0 - 0.75 }) { _ in 2 * 27 * unit } <= 0)
    addScaled(a.ref, b.ref, by: -1.5, into: y.ref, pool)
    #expect(excess(y.values, zip(a.doubles, b.doubles).map { $0 - 1.5 * $1 }) { _ in 2 * 27 * unit } <= 0)
    // Computed in double: 2^−44, and one rounding of at most 3.
    softLimit(a.ref, to: 3, into: y.ref, pool)
    #expect(excess(y.values, a.doubles.map { 3 * tanh($0 / 3) }) { _ in 1.001 * 3 * unit } <= 0)

    let broken = Buffer([1, 1], [.nan])
    for function in [{ relu($0, into: $1, $2) }, { softLimit($0, to: 3, into: $1, $2) }]
      as [(TensorRef, TensorRef, ThreadPool) -> Void]
    {
      let out = Buffer([1, 1])
      function(broken.ref, out.ref, pool)
      #expect(out.values[0].isNaN)
    }
  }

  @Test("gradients of relu and softLimit agree with double and may write over an input")
  func unitGradients() {
    let (x, dy) = (Buffer(random: [101, 203], seed: 1, scale: 9), Buffer(random: [101, 203], seed: 2))
    let d = dy.values
    x.floats[0] = 0
    reluDX(x.ref, dy: dy.ref, into: dy.ref, pool)
    let passed: [Float] = zip(x.values, d).map { x, d in x > 0 ? d : 0 }
    #expect(dy.values == passed)
    let (y, dx) = (Buffer([101, 203]), Buffer([101, 203], d))
    softLimit(x.ref, to: 3, into: y.ref, pool)
    softLimitDX(y.ref, dy: dx.ref, to: 3, into: dx.ref, pool)
    let wanted: [Double] = zip(y.doubles, d).map { y, d in
      let part: Double = y / 3
      return (1 - part * part) * Double(d)
    }
    // Two equal quotients, their product, a difference and a product, of at most 1.
    #expect(excess(dx.values, wanted) { _ in 5 * unit } <= 0)
  }

  @Test(
    "modulate scales by 1 + γ and shifts by δ, its gradients are sums in double",
    arguments: KernelSet.runnable)
  func modulation(set: KernelSet) {
    let (pool, c) = (ThreadPool.of(3, kernels: set), 19)
    let (x, dy, y) = (
      Buffer(random: [7, 5, c], seed: 1), Buffer(random: [7, 5, c], seed: 2), Buffer([7, 5, c])
    )
    let (gamma, delta) = (Buffer(random: [1, c], seed: 3), Buffer(random: [1, c], seed: 4))
    modulate(x.ref, gamma: gamma.ref, delta: delta.ref, into: y.ref, pool)
    let (factors, shifts) = (gamma.doubles.map { 1 + $0 }, delta.doubles)
    let wanted: [Double] = x.doubles.enumerated().map { i, x in x * factors[i % c] + shifts[i % c] }
    #expect(excess(y.values, wanted) { _ in 3 * 3 * unit } <= 0)
    modulate(x.ref, gamma: gamma.ref, delta: nil, into: y.ref, pool)
    let unshifted: [Double] = x.doubles.enumerated().map { i, x in x * factors[i % c] }
    #expect(excess(y.values, unshifted) { _ in 3 * 3 * unit } <= 0)
    let (dGamma, dDelta) = (Buffer([1, c]), Buffer([1, c]))
    modulateDParameters(x.ref, dy: dy.ref, intoGamma: dGamma.ref, delta: dDelta.ref, pool)
    for channel in 0..<c {
      let places = stride(from: channel, to: 35 * c, by: c)
      let products = places.reduce(0.0) { $0 + x.doubles[$1] * dy.doubles[$1] }
      #expect(dGamma.values[channel] == Float(products))
      #expect(dDelta.values[channel] == Float(places.reduce(0.0) { $0 + dy.doubles[$1] }))
    }
  }

  @Test("dot sums products of floats in double, whatever the threads", arguments: KernelSet.runnable)
  func dots(set: KernelSet) {
    let (a, b) = (Buffer(random: [3, 9001], seed: 1), Buffer(random: [3, 9001], seed: 2))
    let sums = [1, 2, 5].map { dot(a.ref, b.ref, ThreadPool.of($0, kernels: set)) }
    let wanted = zip(a.doubles, b.doubles).reduce(0) { $0 + $1.0 * $1.1 }
    // Products of floats are exact in double; 27003 sums of at most 27003 round.
    #expect(abs(sums[0] - wanted) <= 27_003 * 27_003 * 0x1p-53)
    #expect(sums[1] == sums[0] && sums[2] == sums[0])
  }

  @Test("padding puts channels between zeros, and slicing takes them back")
  func padding() {
    let (x, y, back) = (Buffer(random: [7, 5, 6], seed: 1), Buffer([7, 5, 11]), Buffer([7, 5, 6]))
    padChannels(x.ref, at: 3, into: y.ref, pool)
    for i in 0..<35 * 11 {
      let channel = i % 11 - 3
      #expect(y.values[i] == (channel >= 0 && channel < 6 ? x.values[i / 11 * 6 + channel] : 0))
    }
    sliceChannels(y.ref, from: 3, into: back.ref, pool)
    #expect(back.values == x.values)
  }

  @Test("kernels go back to the order of checkpoints")
  func kernelOrder() {
    let (x, y) = (Buffer(random: [5, 3, 2, 7], seed: 1), Buffer([5, 7, 3, 2]))
    checkpointKernels(x.ref, into: y.ref, pool)
    for o in 0..<5 {
      for c in 0..<7 {
        for tap in 0..<6 { #expect(y.values[(o * 7 + c) * 6 + tap] == x.values[(o * 6 + tap) * 7 + c]) }
      }
    }
  }

  @Test("a table's gradient sums the rows that name an entry, and is 0 elsewhere")
  func embeddingGradient() {
    let (dy, dTable, ids) = (Buffer(random: [4, 21], seed: 1), Buffer([6, 21]), Buffer([4], element: .i32))
    let named: [Int32] = [3, 0, 5, 3]
    for (i, id) in named.enumerated() { ids.address.storeBytes(of: id, toByteOffset: i * 4, as: Int32.self) }
    embeddingDTable(ids: ids.ref, dy: dy.ref, into: dTable.ref)
    for v in 0..<6 {
      for c in 0..<21 {
        let rows = (0..<4).filter { named[$0] == Int32(v) }
        #expect(dTable.values[v * 21 + c] == rows.reduce(Float(0)) { $0 + dy.values[$1 * 21 + c] })
      }
    }
  }

  @Test("addChannels adds one vector to every pixel")
  func channels() {
    let (x, v, y) = (
      Buffer(random: [7, 5, 19], seed: 1), Buffer(random: [1, 19], seed: 2), Buffer([7, 5, 19])
    )
    addChannels(x.ref, v.ref, into: y.ref, pool)
    #expect(y.values == x.values.enumerated().map { $1 + v.values[$0 % 19] })
  }

  @Test("concatenated channels come back as slices")
  func concatenation() {
    let (a, b) = (Buffer(random: [7, 5, 19], seed: 1), Buffer(random: [7, 5, 6], seed: 2))
    let (y, left, right) = (Buffer([7, 5, 25]), Buffer([7, 5, 19]), Buffer([7, 5, 6]))
    copyChannels(a.ref, from: 0, into: y.ref, pool)
    copyChannels(b.ref, from: 19, into: y.ref, pool)
    #expect(y.values[25 * 3 + 18] == a.values[19 * 3 + 18] && y.values[25 * 3 + 19] == b.values[6 * 3])
    sliceChannels(y.ref, from: 0, into: left.ref, pool)
    sliceChannels(y.ref, from: 19, into: right.ref, pool)
    #expect(left.values == a.values && right.values == b.values)
  }

  @Test(
    "lines in halves come back as they were rounded, whole and among other channels",
    arguments: KernelSet.runnable)
  func lines(set: KernelSet) {
    let pool = ThreadPool.of(2, kernels: set)
    let (x, stored) = (
      Buffer(random: [7, 5, 19], seed: 1), Buffer([7, 5, 19], element: .f16, layout: .scaledLines)
    )
    storeLines(x.ref, from: 0, into: stored.ref, pool)
    roundLines(x.ref, pool)
    let (loaded, among, slice) = (Buffer([7, 5, 19]), Buffer([7, 5, 30]), Buffer([7, 5, 19]))
    loadLines(stored.ref, 0..<7, into: loaded.ref, pool)
    #expect(loaded.values == x.values)
    loadLines(stored.ref, intoChannelsFrom: 4, of: among.ref, pool)
    sliceChannels(among.ref, from: 4, into: slice.ref, pool)
    #expect(slice.values == x.values)
  }

  @Test(
    "upsampling repeats the pixel at ⌊i·H/H′⌋, and its gradient sums them",
    arguments: [(6, 10), (7, 11), (5, 7)])
  func upsampling(_ size: (h: Int, w: Int)) {
    let (x, y) = (Buffer(random: [3, 5, 4], seed: 1), Buffer([size.h, size.w, 4]))
    upsampleNearest(x.ref, into: y.ref, pool)
    var sums = [Float](repeating: 0, count: 60)
    let dy = Buffer(random: [size.h, size.w, 4], seed: 2)
    for i in 0..<size.h {
      for j in 0..<size.w {
        for c in 0..<4 {
          let from = (i * 3 / size.h * 5 + j * 5 / size.w) * 4 + c
          #expect(y.values[(i * size.w + j) * 4 + c] == x.values[from])
          sums[from] += dy.values[(i * size.w + j) * 4 + c]
        }
      }
    }
    let dx = Buffer([3, 5, 4])
    upsampleNearestDX(dy.ref, into: dx.ref, pool)
    #expect(dx.values == sums)
  }

  @Test("embedding widens the rows its ids name", arguments: [ElementType.f16, .bf16, .f32])
  func embeddings(element: ElementType) {
    let (vocabulary, c, ids) = (11, 21, [3, 0, 10, 3])
    let table = Buffer([vocabulary, c], element: element)
    var wanted: [Float] = []
    let values = Random(5).floats(vocabulary * c)
    for (i, v) in values.enumerated() {
      switch element {
      case .f16: table.address.storeBytes(of: Float16(v).bitPattern, toByteOffset: i * 2, as: UInt16.self)
      case .bf16:
        table.address.storeBytes(of: UInt16(v.bitPattern >> 16), toByteOffset: i * 2, as: UInt16.self)
      default: table.address.storeBytes(of: v, toByteOffset: i * 4, as: Float.self)
      }
    }
    for id in ids {
      for v in values[id * c..<id * c + c] {
        switch element {
        case .f16: wanted.append(Float(Float16(v)))
        case .bf16: wanted.append(Float(bitPattern: v.bitPattern & 0xffff_0000))
        default: wanted.append(v)
        }
      }
    }
    let indices = Buffer([4], element: .i32)
    for (i, id) in ids.enumerated() {
      indices.address.storeBytes(of: Int32(id), toByteOffset: i * 4, as: Int32.self)
    }
    let y = Buffer([4, c])
    embedding(table: table.ref, ids: indices.ref, into: y.ref, pool)
    #expect(y.values == wanted)
  }
}
