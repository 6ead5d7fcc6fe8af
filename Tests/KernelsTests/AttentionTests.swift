import CKernels
import Kernels
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite("Attention") struct AttentionTests {
  /// Scores are off by at most d·u·√d for operands in −1…1, a probability by twice that and a few roundings
  /// of exp2, a sum over keys by one rounding per key.
  static func tolerance(size: Int, keys: Int) -> Double {
    unit * (4 * Double(size) * Double(size).squareRoot() + Double(2 * keys) + 64)
  }

  @Test(
    "agrees with a full softmax in double", arguments: [3, 8, 16, 32, 40, 64, 80, 160], [1, 7, 32, 77, 300])
  func forward(size: Int, keys: Int) {
    let e = Example(queries: 50, keys: keys, heads: 2, size: size, causal: false)
    let wanted = e.reference
    for set in KernelSet.runnable {
      let (o, logSum) = e.forward(ThreadPool.of(2, kernels: set))
      let t = Self.tolerance(size: size, keys: keys)
      #expect(excess(o.values, wanted.o) { _ in t } <= 0, "\(set)")
      #expect(excess(logSum.values, wanted.logSum) { _ in t } <= 0, "\(set)")
    }
  }

  @Test("shows a query no later key when causal", arguments: KernelSet.runnable, [1, 16, 77, 300])
  func causal(set: KernelSet, length: Int) {
    let e = Example(queries: length, keys: length, heads: 3, size: 16, causal: true)
    let (o, _) = e.forward(ThreadPool.of(2, kernels: set))
    #expect(excess(o.values, e.reference.o) { _ in Self.tolerance(size: 16, keys: length) } <= 0)
  }

  @Test("survives scores of ten thousand", arguments: KernelSet.runnable)
  func hugeScores(set: KernelSet) {
    // Operands of 100: the largest score takes everything, the others underflow to exact zeros.
    let e = Example(queries: 20, keys: 300, heads: 1, size: 16, causal: false, magnitude: 100)
    let (o, logSum) = e.forward(ThreadPool.of(1, kernels: set))
    // A score of size s is off by 16·u·s, and so is its exponential in relative terms.
    let t = 2 * 16 * unit * 100 * 100 * 4 * 100
    #expect(excess(o.values, e.reference.o) { _ in t } <= 0)
    #expect(logSum.values.allSatisfy { $0.isFinite })
  }

  @Test("gradients agree with the formulas in double", arguments: [3, 16, 40, 80], [1, 7, 77, 300])
  func gradients(size: Int, keys: Int) {
    for set in KernelSet.runnable {
      for causal in keys == 77 ? [false, true] : [false] {
        let e = Example(queries: causal ? 77 : 50, keys: keys, heads: 2, size: size, causal: causal)
        let (dq, dk, dv) = e.backward(ThreadPool.of(2, kernels: set))
        let wanted = e.referenceGradients
        // Sums over keys (dq) or queries (dk, dv) of probabilities times sums over d.
        let t = Self.tolerance(size: size, keys: max(keys, 77)) * 4 * Double(size).squareRoot()
        #expect(excess(dq.values, wanted.dq) { _ in t } <= 0, "dq \(set)")
        #expect(excess(dk.values, wanted.dk) { _ in t * 8 } <= 0, "dk \(set)")
        #expect(excess(dv.values, wanted.dv) { _ in t * 8 } <= 0, "dv \(set)")
      }
    }
  }

  @Test(
    "all gradients at once have the bits of two passes", arguments: KernelSet.runnable,
    [(1, 1, 3), (50, 7, 16), (47, 300, 40), (97, 97, 40), (300, 513, 8)])
  func atOnce(set: KernelSet, _ shape: (queries: Int, keys: Int, size: Int)) {
    for causal in shape.queries == shape.keys ? [false, true] : [false] {
      let e = Example(queries: shape.queries, keys: shape.keys, heads: 4, size: shape.size, causal: causal)
      // Four heads on two threads go together, on three one pass follows the other.
      for threads in [1, 2, 3] {
        let pool = ThreadPool.of(threads, kernels: set)
        let (two, one) = (e.backward(pool), e.backwardAtOnce(pool))
        #expect(one.dq.values == two.dq.values && one.dk.values == two.dk.values)
        #expect(one.dv.values == two.dv.values)
      }
    }
  }

  @Test("probabilities are averaged over the heads", arguments: KernelSet.runnable, [1, 77, 300])
  func probabilities(set: KernelSet, keys: Int) {
    let e = Example(queries: 50, keys: keys, heads: 3, size: 40, causal: false)
    let pool = ThreadPool.of(2, kernels: set)
    let (_, logSum) = e.forward(pool)
    let p = Buffer([50, keys])
    withScratch(attentionProbabilitiesScratchBytes(q: e.q.type, k: e.k.type, heads: 3, threads: 2)) {
      attentionProbabilities(
        e.q.ref, k: e.k.ref, logSum: logSum.ref, heads: 3, into: p.ref, scratch: $0, pool)
    }
    var wanted = [Double](repeating: 0, count: 50 * keys)
    for head in e.reference.p { for (i, x) in head.enumerated() { wanted[i] += x / 3 } }
    #expect(excess(p.values, wanted) { _ in Self.tolerance(size: 40, keys: keys) } <= 0)
  }

  @Test("gives the same bits with any number of threads", arguments: [2, 3, 5])
  func threads(count: Int) {
    let e = Example(queries: 500, keys: 410, heads: 2, size: 40, causal: false)
    let outputs = [1, count].map { threads in
      let pool = ThreadPool.of(threads)
      let (o, logSum) = e.forward(pool)
      let (dq, dk, dv) = e.backward(pool)
      return [o, logSum, dq, dk, dv].map(\.values)
    }
    #expect(outputs[0] == outputs[1])
  }

  @Test("gives a query the same bits alone as among others", arguments: KernelSet.runnable)
  func rowIndependence(set: KernelSet) {
    let e = Example(queries: 31, keys: 300, heads: 2, size: 40, causal: false)
    let pool = ThreadPool.of(1, kernels: set)
    let (together, _) = e.forward(pool)
    for row in 0..<31 {
      var one = e
      one.queries = 1
      one.q = Buffer([1, 80], Array(e.q.values[row * 80..<row * 80 + 80]))
      #expect(one.forward(pool).o.values == Array(together.values[row * 80..<row * 80 + 80]))
    }
  }

  struct Example {
    var queries: Int, keys: Int, heads: Int, size: Int, causal: Bool
    var q: Buffer, k: Buffer, v: Buffer, dO: Buffer

    init(queries: Int, keys: Int, heads: Int, size: Int, causal: Bool, magnitude: Float = 1) {
      (self.queries, self.keys, self.heads, self.size, self.causal) = (queries, keys, heads, size, causal)
      let c = heads * size
      q = Buffer(random: [queries, c], seed: 1, scale: magnitude)
      k = Buffer(random: [keys, c], seed: 2, scale: magnitude)
      (v, dO) = (Buffer(random: [keys, c], seed: 3), Buffer(random: [queries, c], seed: 4))
    }

    func forward(_ pool: ThreadPool) -> (o: Buffer, logSum: Buffer) {
      let (o, logSum) = (Buffer([queries, heads * size]), Buffer([heads, queries]))
      withScratch(attentionScratchBytes(q: q.type, k: k.type, heads: heads, threads: pool.threads)) {
        attention(
          q.ref, k: k.ref, v: v.ref, heads: heads, causal: causal, into: o.ref, logSum: logSum.ref,
          scratch: $0,
          pool)
      }
      return (o, logSum)
    }

    func backward(_ pool: ThreadPool) -> (dq: Buffer, dk: Buffer, dv: Buffer) {
      let (o, logSum) = forward(pool)
      let (dq, dk, dv) = (Buffer(q.type.shape), Buffer(k.type.shape), Buffer(k.type.shape))
      withScratch(attentionGradientScratchBytes(q: q.type, k: k.type, heads: heads, threads: pool.threads)) {
        attentionDQ(
          q.ref, k: k.ref, v: v.ref, o: o.ref, logSum: logSum.ref, dO: dO.ref, heads: heads, causal: causal,
          into: dq.ref, scratch: $0, pool)
        attentionDKV(
          q.ref, k: k.ref, v: v.ref, o: o.ref, logSum: logSum.ref, dO: dO.ref, heads: heads, causal: causal,
          intoK: dk.ref, intoV: dv.ref, scratch: $0, pool)
      }
      return (dq, dk, dv)
    }

    func backwardAtOnce(_ pool: ThreadPool) -> (dq: Buffer, dk: Buffer, dv: Buffer) {
      let (o, logSum) = forward(pool)
      let (dq, dk, dv) = (Buffer(q.type.shape), Buffer(k.type.shape), Buffer(k.type.shape))
      withScratch(attentionDQKVScratchBytes(q: q.type, k: k.type, heads: heads, threads: pool.threads)) {
        attentionDQKV(
          q.ref, k: k.ref, v: v.ref, o: o.ref, logSum: logSum.ref, dO: dO.ref, heads: heads, causal: causal,
          intoQ: dq.ref, intoK: dk.ref, intoV: dv.ref, scratch: $0, pool)
      }
      return (dq, dk, dv)
    }

    /// o, ln Σ exp and the probabilities of every head.
    var reference: (o: [Double], logSum: [Double], p: [[Double]]) {
      let c = heads * size
      let (q, k, v) = (self.q.doubles, self.k.doubles, self.v.doubles)
      var o = [Double](repeating: 0, count: queries * c)
      var logSums: [Double] = []
      var all: [[Double]] = []
      for h in 0..<heads {
        var probabilities: [Double] = []
        for i in 0..<queries {
          var s = (0..<keys).map { j -> Double in
            dot(q, i * c + h * size, k, j * c + h * size, size) / Double(size).squareRoot()
          }
          if causal { for j in 0..<keys where j > i { s[j] = -.infinity } }
          let top = s.max()!
          let sum = s.reduce(0) { $0 + exp($1 - top) }
          logSums.append(top + log(sum))
          let p = s.map { exp($0 - top) / sum }
          for j in 0..<keys {
            for d in 0..<size { o[i * c + h * size + d] += p[j] * v[j * c + h * size + d] }
          }
          probabilities += p
        }
        all.append(probabilities)
      }
      return (o, logSums, all)
    }

    var referenceGradients: (dq: [Double], dk: [Double], dv: [Double]) {
      let c = heads * size
      let (q, k, v, dO) = (self.q.doubles, self.k.doubles, self.v.doubles, self.dO.doubles)
      let (_, _, p) = reference
      var dq = [Double](repeating: 0, count: queries * c)
      var dk = [Double](repeating: 0, count: keys * c)
      var dv = dk
      for h in 0..<heads {
        for i in 0..<queries {
          let a = i * c + h * size
          let dP = (0..<keys).map { j -> Double in dot(dO, a, v, j * c + h * size, size) }
          let delta = dot(dP, 0, p[h], i * keys, keys)
          for j in 0..<keys {
            let (pij, b) = (p[h][i * keys + j], j * c + h * size)
            let dS = pij * (dP[j] - delta) / Double(size).squareRoot()
            for d in 0..<size {
              dq[a + d] += dS * k[b + d]
              dk[b + d] += dS * q[a + d]
              dv[b + d] += pij * dO[a + d]
            }
          }
        }
      }
      return (dq, dk, dv)
    }
  }
}

/// Σ a[i + d]·b[j + d] over d < count
private func dot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int, _ count: Int) -> Double {
  var sum = 0.0
  for d in 0..<count { sum += a[i + d] * b[j + d] }
  return sum
}

@Suite("Softmax row") struct SoftmaxRowTests {
  @Test("tile by tile equals one pass in double", arguments: KernelSet.runnable, [1, 7, 8, 15, 16, 17, 64])
  func streaming(set: KernelSet, width: Int) {
    let scale: Float = 0.3
    let scores = Random(9).floats(width * 4).map { $0 * 400 }
    var state: [Float] = [-.infinity, 0]
    var (weights, factors) = ([Float](), [Float]())
    for tile in 0..<4 {
      var s = Array(scores[tile * width..<(tile + 1) * width])
      factors.append(set.table.pointee.softmax_row(width, width, scale, &s, &state))
      weights += s
    }
    let t = scores.map { Double($0) * Double(scale) }
    let top = t.max()!
    let sum = t.reduce(0) { $0 + exp2($1 - top) }
    for i in scores.indices {
      let later = factors.suffix(3 - i / width).reduce(1) { $0 * Double($1) }
      let p = Double(weights[i]) * later / Double(state[1])
      // Scores of at most 120 carry 2^−18 of rounding, which 2^t turns into a relative error.
      #expect(abs(p - exp2(t[i] - top) / sum) <= 0x1p-17)
    }
  }

  @Test("hides what is not valid and keeps the state when nothing is", arguments: KernelSet.runnable)
  func hidden(set: KernelSet) {
    for n in 1...40 {
      for valid in 0...n {
        let s = Buffer(random: [n], seed: UInt64(n))
        var state: [Float] = [2, 3]
        let factor = set.table.pointee.softmax_row(valid, n, 1, s.floats, &state)
        #expect(s.values[valid...].allSatisfy { $0 == 0 })
        #expect(s.values[..<valid].allSatisfy { $0 > 0 })
        #expect(state[0] == 2 && factor == 1)  // scores lie below 2
        if valid == 0 { #expect(state[1] == 3) }
      }
    }
  }
}
