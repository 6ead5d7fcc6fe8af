import Kernels
import Tensors

/// A checkpoint's weight of halves into int8 panels and scales: work counts bytes read.
func quantizerBenchmark(_ shape: [Int], _ choice: ScaleChoice, rotation: Int? = nil) -> Benchmark {
  let source = Operand(shape, element: .f16)
  let bits = source.ref.address.assumingMemoryBound(to: UInt16.self)
  var state: UInt32 = 1
  for i in 0..<source.type.count {  // ±2^−8…2^−5, as weights are
    state = state &* 1_664_525 &+ 1_013_904_223
    bits[i] = UInt16(state >> 16 & 0x83ff) | UInt16(7 + (state >> 30)) << 10
  }
  let panels = Operand(
    [shape[0]] + shape.dropFirst(2) + [shape[1]], element: .s8, layout: .panels)
  let quantizer = Int8Quantizer(checkpointShape: shape, choice: choice, rotation: rotation)
  let scratch = Operand([quantizer.scratchBytes(threads: 16)], element: .s8)
  return Benchmark(
    name: "quantize_" + choice.rawValue + (rotation.map { "_h\($0)" } ?? ""),
    size: shape.map { String($0) }.joined(separator: "×"), work: Double(source.type.byteCount) * 1e-9,
    unit: "GB/s"
  ) { pool in
    var energies = QuantizationEnergies()
    var scales = [Float](repeating: 0, count: shape[0])
    scales.withUnsafeMutableBufferPointer {
      quantizer.quantize(
        UnsafeRawBufferPointer(start: source.ref.address, count: source.type.byteCount), element: .f16,
        rows: 0..<shape[0],
        into: UnsafeMutableRawBufferPointer(start: panels.ref.address, count: panels.type.byteCount),
        scales: $0, energies: &energies, scratch: scratch.ref.address, pool)
    }
  }
}

func quantizerBenchmarks() -> [Benchmark] {
  [[1280, 1280, 3, 3], [2560, 320], [1280, 5120]].flatMap { shape in
    ScaleChoice.allCases.map { quantizerBenchmark(shape, $0) } + [
      quantizerBenchmark(shape, .maxAbs, rotation: 64)
    ]
  }
}
