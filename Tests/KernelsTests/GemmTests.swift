import CKernels
import Kernels
import Testing

/// Every variant on its own, from below to the size of its tile.
@Suite("GEMM tile") struct GemmTests {
  /// Some round every product, the others fuse it with the sum. Both add in the order of k, so
  /// the result is known to the last bit.
  @Test("equals the chain over k exactly", arguments: KernelSet.runnable, [1, 2, 17, 256])
  func chain(set: KernelSet, k: Int) {
    let (lda, ldc) = (k + 5, set.tile.columns + 3)
    let a = Random(1).floats(set.tile.rows * lda)
    let b = Buffer(random: [2 * k * 16], seed: 2)
    let bias = Random(3).floats(set.tile.columns)
    let before = Random(4).floats(set.tile.rows * ldc)

    a.withUnsafeBufferPointer { a in
      for m in 1...set.tile.rows {
        for n in 1...set.tile.columns {
          for accumulates in [false, true] {
            var c = before
            var wanted = before
            for i in 0..<m {
              for j in 0..<n {
                var sum = accumulates ? before[i * ldc + j] : bias[j]
                for kk in 0..<k {
                  let (x, w) = (a[i * lda + 2 + kk], b.floats[(j / 16 * k + kk) * 16 + j % 16])
                  if set.sharesBits { sum.addProduct(x, w) } else { sum += x * w }
                }
                wanted[i * ldc + j] = sum
              }
            }
            let rows = (0..<m).map { a.baseAddress! + $0 * lda }
            set.table.pointee.gemm_f32(m, n, k, rows, 2, b.floats, k * 16, accumulates ? nil : bias, &c, ldc)
            #expect(c == wanted, "\(m)×\(n), accumulates: \(accumulates)")
          }
        }
      }
    }
  }
}
