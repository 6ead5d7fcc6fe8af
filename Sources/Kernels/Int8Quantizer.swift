import CKernels
import Tensors

/// How the scale of an int8 weight's output is chosen.
public enum ScaleChoice: String, Sendable, Codable, CaseIterable {
  /// max|w|/127: the largest weight uses the whole range.
  case maxAbs = "max-abs"
  /// The best of five by measured error: large weights may be cut off where the others gain more by it.
  case search
}

/// Turns consecutive rows of a weight, as a checkpoint stores them, into int8 panels and scales.
///
/// A thread takes 16 rows at a time: widens them into its scratch, rotates them if wanted, finds their scales and
/// packs them while they are in its cache. The bytes depend on neither threads, blocks nor kernel set.
package struct Int8Quantizer: Sendable {
  package var checkpointShape: [Int]
  package var choice: ScaleChoice
  /// Width of the groups of input channels that a rotation is folded into.
  package var rotation: Int?

  /// - Parameter checkpointShape: `[N, K]`, or `[O, I, kh, kw]`.
  package init(checkpointShape: [Int], choice: ScaleChoice, rotation: Int? = nil) {
    (self.checkpointShape, self.choice, self.rotation) = (checkpointShape, choice, rotation)
  }

  private var k: Int { checkpointShape.dropFirst().reduce(1, *) }

  /// 16 rows of floats for every thread: 1.5 MB at the widest convolution of SDXL.
  package func scratchBytes(threads: Int) -> Int {
    ScratchCursor.bytes((0..<threads).map { _ in 16 * k * 4 })
  }

  /// - Parameters:
  ///   - source: exactly the rows `rows`, of f32, f16 or bf16.
  ///   - rows: starts at a multiple of 16; ends at one, or at N.
  ///   - panels: the panels of these rows.
  ///   - scales: of these rows; NaN or infinite for a row that is not finite, whose bytes mean nothing then.
  ///   - energies: what is added for these rows, rotated if they are.
  ///   - scratch: `scratchBytes`
  package func quantize(
    _ source: UnsafeRawBufferPointer, element: ElementType, rows: Range<Int>,
    into panels: UnsafeMutableRawBufferPointer, scales: UnsafeMutableBufferPointer<Float>,
    energies: inout QuantizationEnergies, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    let (k, count) = (k, rows.count)
    let rowBytes = k * element.byteCount
    let panelBytes = TensorType([16] + taps + [checkpointShape[1]], element: .s8, layout: .panels).byteCount
    precondition(
      source.count == count * rowBytes && scales.count == count && rows.lowerBound % 16 == 0
        && panels.count >= (count + 15) / 16 * panelBytes,
      "\(source.count) bytes for rows \(rows) of \(checkpointShape) into \(panels.count)")
    var cursor = ScratchCursor(scratch)
    let buffers = (0..<pool.threads).map { _ in cursor.take(16 * k, of: Float.self) }
    let alone = ThreadPool(aloneWith: pool.kernels)
    withUnsafeTemporaryAllocation(of: QuantizationEnergies.self, capacity: count) { perRow in
      let results = perRow.baseAddress!
      pool.run((count + 15) / 16) { panel, thread in
        let some = panel * 16..<min(count, panel * 16 + 16)
        let floats = UnsafeMutableBufferPointer(start: buffers[thread], count: some.count * k)
        convertToFloat(
          UnsafeRawBufferPointer(rebasing: source[some.lowerBound * rowBytes..<some.upperBound * rowBytes]),
          element: element, into: buffers[thread])
        if let rotation { rotateWeight(floats, checkpointShape: checkpointShape, width: rotation, alone) }
        let values = UnsafeBufferPointer(floats)
        let chosen = UnsafeMutableBufferPointer(rebasing: scales[some])
        switch choice {
        case .maxAbs: maxSizeScales(values, into: chosen, alone)
        case .search: leastErrorScales(values, into: chosen, alone)
        }
        for row in some {
          var energy = QuantizationEnergies()
          energy.add(
            UnsafeBufferPointer(
              rebasing: values[(row - some.lowerBound) * k..<(row - some.lowerBound + 1) * k]),
            scales: UnsafeBufferPointer(rebasing: scales[row...row]), alone)
          (results + row).initialize(to: energy)
        }
        packInt8Panels(
          values, scales: UnsafeBufferPointer(chosen),
          checkpointShape: [some.count] + checkpointShape.dropFirst(),
          rows: 0..<some.count,
          into: UnsafeMutableRawBufferPointer(rebasing: panels[(panel * panelBytes)...]),
          alone)
      }
      for row in perRow {
        energies.signal += row.signal
        energies.error += row.error
      }
    }
  }

  private var taps: [Int] { Array(checkpointShape.dropFirst(2)) }
}
