import CKernels
import Kernels
import Tensors

/// The arithmetic of one int8 tile from the first-level cache; operations count as in the float tile.
func int8TileBenchmark() -> Benchmark {
  let (k, calls) = (256, 8000)
  let a = Operand([16, k], element: .s8)
  let b = Operand([32, k], element: .s8, layout: .panels)
  let c = (0..<16).map { _ in Operand([16, 32]) }
  var benchmark = Benchmark(name: "gemm_tile_s8", size: "k \(k)", work: 0, unit: "GOP/s") { pool in
    let (rows, columns) = pool.kernels.int8Tile
    let gemm = pool.kernels.table.pointee.gemm_s8
    let x = a.ref.address.assumingMemoryBound(to: UInt8.self)
    let panels = b.ref.address.assumingMemoryBound(to: Int8.self)
    let table = (0..<rows).map { UnsafePointer(x + $0 * k) }
    let ones = [Float](repeating: 1, count: 32)
    pool.run(pool.threads) { _, thread in
      let y = c[thread].ref.address.assumingMemoryBound(to: Float.self)
      for _ in 0..<calls {
        gemm(rows, columns, k, table, ones, panels, 64 + 16 * k, true, true, ones, ones, y, 32)
      }
    }
  }
  benchmark.workOf = {
    Double(2 * k * calls * $0.threads * $0.kernels.int8Tile.rows * $0.kernels.int8Tile.columns) * 1e-9
  }
  return benchmark
}

/// Memory for the rows of a case and its weight.
private final class Int8Operands {
  let x: Operand, panels: Operand, scales: Operand
  private let memory: Operand

  init(x: Operand, weight shape: [Int]) {
    self.x = x
    panels = Operand(shape, element: .s8, layout: .panels)
    scales = Operand([shape[0]])
    memory = Operand([Int8Rows.byteCount(x.type)], element: .s8)
  }

  var weight: Int8Weight { Int8Weight(panels: panels.ref, scales: scales.ref) }

  func quantized(_ pool: ThreadPool) -> Int8Rows {
    let rows = Int8Rows(x.type, at: memory.ref.address)
    quantizeRows(x.ref, into: rows, pool)
    return rows
  }
}

/// An int8 linear layer, the quantization of its rows included.
func int8LinearBenchmark(_ rows: Int, _ k: Int, _ n: Int) -> Benchmark {
  let (operands, y) = (Int8Operands(x: Operand([rows, k]), weight: [n, k]), Operand([rows, n]))
  let space = Operand(
    [int8LinearScratchBytes(x: operands.x.type, weight: operands.panels.type, threads: 16)], element: .s8)
  return Benchmark(
    name: "linear_s8", size: "\(rows)×\(k)×\(n)", work: Double(2 * rows * k * n) * 1e-9, unit: "GOP/s"
  ) { pool in
    linear(
      operands.quantized(pool), weight: operands.weight, bias: nil, into: y.ref, scratch: space.ref.address,
      pool)
  }
}

/// An int8 convolution, the quantization of its pixels included.
func int8ConvolutionBenchmark(
  _ side: Int, _ channels: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1
) -> Benchmark {
  let geometry = ConvolutionGeometry(stride: stride, padding: kernel / 2)
  let size = geometry.outputSize(height: side, width: side, kernel: (kernel, kernel))
  let operands = Int8Operands(
    x: Operand([side, side, channels]), weight: [outputs, kernel, kernel, channels])
  let y = Operand([size.height, size.width, outputs])
  let space = Operand(
    [int8ConvolutionScratchBytes(x: operands.x.type, weight: operands.panels.type, geometry, threads: 16)],
    element: .s8)
  return Benchmark(
    name: "conv\(kernel)x\(kernel)" + (stride > 1 ? "s\(stride)" : "") + "_s8",
    size: "\(side)×\(side)×\(channels)→\(outputs)",
    work: Double(2 * size.height * size.width * outputs * kernel * kernel * channels) * 1e-9, unit: "GOP/s"
  ) { pool in
    convolution(
      operands.quantized(pool), weight: operands.weight, bias: nil, geometry, into: y.ref,
      scratch: space.ref.address, pool)
  }
}
