import Kernels
import Tensors
import TestSupport
import Testing

@Suite("int8 quantizer") struct Int8QuantizerTests {
  @Test(
    "gives what its steps give one after the other, whatever the blocks, threads and kernels",
    arguments: KernelSet.runnable, ScaleChoice.allCases)
  func steps(set: KernelSet, choice: ScaleChoice) {
    for (shape, rotation) in [
      ([70, 37], nil), ([48, 64], 64), ([33, 6, 3, 3], nil), ([17, 128, 3, 3], 64),
    ] as [([Int], Int?)] {
      let halves = Random(1).floats(shape.reduce(1, *)).map { Float16($0) }
      let wanted = Result(
        shape, choice, rotation, block: shape[0], .of(1, kernels: .named("scalar")!), halves)
      let pieces = Result(shape, choice, rotation, block: 16, .of(2, kernels: set), halves)
      #expect(pieces == wanted, "\(shape)")

      var floats = halves.map(Float.init)
      var (scales, energies) = ([Float](repeating: 0, count: shape[0]), QuantizationEnergies())
      let panels = Buffer([shape[0]] + shape.dropFirst(2) + [shape[1]], element: .s8, layout: .panels)
      let pool = ThreadPool.of(2, kernels: set)
      floats.withUnsafeMutableBufferPointer { values in
        if let rotation { rotateWeight(values, checkpointShape: shape, width: rotation, pool) }
        scales.withUnsafeMutableBufferPointer { scales in
          let source = UnsafeBufferPointer(values)
          choice == .maxAbs ? maxSizeScales(source, into: scales) : leastErrorScales(source, into: scales)
          energies.add(source, scales: UnsafeBufferPointer(scales))
          packInt8Panels(
            source, scales: UnsafeBufferPointer(scales), checkpointShape: shape, rows: 0..<shape[0],
            into: UnsafeMutableRawBufferPointer(start: panels.address, count: panels.type.byteCount))
        }
      }
      #expect(scales == wanted.scales && energies == wanted.energies, "\(shape)")
      #expect(
        Array(UnsafeRawBufferPointer(start: panels.address, count: panels.type.byteCount)) == wanted.bytes)
      withExtendedLifetime(panels) {}
    }
  }

  private struct Result: Equatable {
    var bytes: [UInt8], scales: [Float], energies: QuantizationEnergies

    init(
      _ shape: [Int], _ choice: ScaleChoice, _ rotation: Int?, block: Int, _ pool: ThreadPool,
      _ halves: [Float16]
    ) {
      let type = TensorType([shape[0]] + shape.dropFirst(2) + [shape[1]], element: .s8, layout: .panels)
      let k = shape.dropFirst().reduce(1, *)
      let panelBytes = type.byteCount / ((shape[0] + 15) / 16)
      let quantizer = Int8Quantizer(checkpointShape: shape, choice: choice, rotation: rotation)
      let panels = Buffer(type.shape, element: .s8, layout: .panels)
      var (scales, energies) = ([Float](repeating: 0, count: shape[0]), QuantizationEnergies())
      for start in stride(from: 0, to: shape[0], by: block) {
        let rows = start..<min(shape[0], start + block)
        withScratch(quantizer.scratchBytes(threads: pool.threads)) { scratch in
          Array(halves[rows.lowerBound * k..<rows.upperBound * k]).withUnsafeBytes { source in
            scales.withUnsafeMutableBufferPointer {
              quantizer.quantize(
                source, element: .f16, rows: rows,
                into: UnsafeMutableRawBufferPointer(
                  start: panels.address + start / 16 * panelBytes,
                  count: type.byteCount - start / 16 * panelBytes),
                scales: UnsafeMutableBufferPointer(rebasing: $0[rows]), energies: &energies, scratch: scratch,
                pool)
            }
          }
        }
      }
      (self.scales, self.energies) = (scales, energies)
      bytes = Array(UnsafeRawBufferPointer(start: panels.address, count: type.byteCount))
      withExtendedLifetime(panels) {}
    }
  }
}
