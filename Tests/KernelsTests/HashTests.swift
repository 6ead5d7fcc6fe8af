import CKernels
import Testing

@Suite("SHA-256 kernels") struct HashTests {
  @Test("have the bits of the scalar twin, for any number of blocks and any alignment")
  func twins() {
    let kernels = (0..<sha256_kernel_count()).map { sha256_kernel_at($0).pointee }
    let runnable = kernels.filter { $0.needs & ~cpu_features() == 0 }
    let bytes = Random(1).floats(2000).map { UInt8(truncatingIfNeeded: Int($0 * 1e6)) }
    let start = Random(2).floats(8).map { UInt32(bitPattern: Int32($0 * 2e9)) }
    for (blocks, offset) in [(0, 0), (1, 0), (1, 3), (2, 1), (31, 15)] {
      let states = runnable.map { kernel in
        var state = start
        bytes.withUnsafeBufferPointer { kernel.blocks(blocks, $0.baseAddress! + offset, &state) }
        return state
      }
      #expect(states.allSatisfy { $0 == states[0] }, "\(blocks) blocks")
      #expect((states[0] == start) == (blocks == 0))
    }
  }
}
