import CKernels
import Tensors

/// Turns weights into halves, ties to even, a piece of 8192 values on a thread at a time. Neither threads nor kernel
/// set change a bit.
///
/// - Parameters:
///   - source: f32 or bf16 values.
///   - target: as many halves.
///   - energies: what is added.
/// - Returns: the largest size; where it is over 65504, not every half is its value; NaN if a value is.
package func narrowToHalf(
  _ source: UnsafeRawBufferPointer, element: ElementType, into target: UnsafeMutablePointer<UInt16>,
  _ energies: inout QuantizationEnergies, _ pool: ThreadPool
) -> Float {
  let count = source.count / element.byteCount
  let piece = 8192
  let pieces = (count + piece - 1) / piece
  let kernels = pool.kernels.table
  typealias Result = (largest: Float, energies: QuantizationEnergies)
  return withUnsafeTemporaryAllocation(of: Result.self, capacity: pieces) { buffer in
    let results = buffer.baseAddress!
    pool.run(pieces) { index, _ in
      let values = index * piece..<min(index * piece + piece, count)
      let n = values.count
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * piece) { scratch in
        let (x, y) = (scratch.baseAddress!, scratch.baseAddress! + piece)
        let bytes = values.lowerBound * element.byteCount..<values.upperBound * element.byteCount
        convertToFloat(UnsafeRawBufferPointer(rebasing: source[bytes]), element: element, into: x)
        kernels.pointee.narrow_f16(n, x, target + values.lowerBound)
        kernels.pointee.widen_f16(n, target + values.lowerBound, y)
        var sums = (0.0, 0.0)
        withUnsafeMutableBytes(of: &sums) {
          difference_energies(n, x, y, $0.assumingMemoryBound(to: Double.self).baseAddress!)
        }
        var energies = QuantizationEnergies()
        (energies.signal, energies.error) = sums
        (results + index).initialize(to: (kernels.pointee.max_size(n, x), energies))
      }
    }
    var largest: Float = 0
    for result in buffer {
      largest = result.largest.isNaN ? result.largest : max(result.largest, largest)
      energies.signal += result.energies.signal
      energies.error += result.energies.error
    }
    return largest
  }
}
