import CKernels
import Kernels
import Tensors

/// Memory for the operands of a case, filled with values in −1…1.
final class Operand {
  let ref: TensorRef

  init(_ shape: [Int], element: ElementType = .f32, layout: Layout = .plain) {
    let type = TensorType(shape, element: element, layout: layout)
    let address = UnsafeMutableRawPointer.allocate(byteCount: type.byteCount, alignment: 64)
    ref = TensorRef(type, at: address)
    var state: UInt32 = 1
    let count = type.byteCount / element.byteCount
    for i in 0..<count {
      state = state &* 1_664_525 &+ 1_013_904_223
      let value = Float(Int32(bitPattern: state)) * 0x1p-31
      switch element {
      case .s8: address.storeBytes(of: Int8(value * 127), toByteOffset: i, as: Int8.self)
      case .f16: address.storeBytes(of: Float16(value).bitPattern, toByteOffset: i * 2, as: UInt16.self)
      case .bf16: address.storeBytes(of: UInt16(value.bitPattern >> 16), toByteOffset: i * 2, as: UInt16.self)
      default: address.storeBytes(of: value, toByteOffset: i * element.byteCount, as: Float.self)
      }
    }
  }

  deinit { ref.address.deallocate() }
  var type: TensorType { ref.type }
}

/// Scratch of a call for any number of threads up to 16.
private func scratch(_ bytes: (Int) -> Int) -> Operand { Operand([bytes(16)], element: .s8) }

/// The arithmetic of one GEMM tile from the first-level cache: what the loops above it can reach at most.
func tileBenchmark() -> Benchmark {
  let k = 256
  let calls = 4000
  let a = Operand([16, k])
  let b = Operand([2, k, 16])
  let c = (0..<16).map { _ in Operand([16, 32]) }
  var benchmark = Benchmark(name: "gemm_tile", size: "k \(k)", work: 0, unit: "GFLOP/s") { pool in
    let (rows, columns) = pool.kernels.tile
    let gemm = pool.kernels.table.pointee.gemm_f32
    let x = a.ref.address.assumingMemoryBound(to: Float.self)
    let table = (0..<rows).map { UnsafePointer(x + $0 * k) }
    pool.run(pool.threads) { _, thread in
      let y = c[thread].ref.address.assumingMemoryBound(to: Float.self)
      for _ in 0..<calls {
        gemm(rows, columns, k, table, 0, b.ref.address.assumingMemoryBound(to: Float.self), k * 16, y, y, 32)
      }
    }
  }
  benchmark.workOf = {
    Double(2 * k * calls * $0.threads * $0.kernels.tile.rows * $0.kernels.tile.columns) * 1e-9
  }
  return benchmark
}

func linearBenchmark(_ rows: Int, _ k: Int, _ n: Int, _ element: ElementType, gradient: Bool = false)
  -> Benchmark
{
  let (x, y) = (Operand([rows, k]), Operand([rows, n]))
  let w = Operand([n, k], element: element, layout: .panels)
  let space = scratch {
    max(
      linearScratchBytes(x: x.type, weight: w.type, threads: $0),
      linearDXScratchBytes(dy: y.type, weight: w.type, threads: $0))
  }
  return Benchmark(
    name: (gradient ? "linearDX_" : "linear_") + element.rawValue, size: "\(rows)×\(k)×\(n)",
    work: Double(2 * rows * k * n) * 1e-9, unit: "GFLOP/s"
  ) { pool in
    if gradient {
      linearDX(y.ref, weight: w.ref, into: x.ref, scratch: space.ref.address, pool)
    } else {
      linear(x.ref, weight: w.ref, bias: nil, into: y.ref, scratch: space.ref.address, pool)
    }
  }
}

func convolutionBenchmark(
  _ side: Int, _ channels: Int, _ outputs: Int, _ element: ElementType, kernel: Int = 3, stride: Int = 1,
  gradient: Bool = false
) -> Benchmark {
  let geometry = ConvolutionGeometry(stride: stride, padding: kernel / 2)
  let size = geometry.outputSize(height: side, width: side, kernel: (kernel, kernel))
  let (x, y) = (Operand([side, side, channels]), Operand([size.height, size.width, outputs]))
  let w = Operand([outputs, kernel, kernel, channels], element: element, layout: .panels)
  let space = scratch {
    max(
      convolutionScratchBytes(x: x.type, weight: w.type, geometry, threads: $0),
      convolutionDXScratchBytes(dy: y.type, weight: w.type, dx: x.type, geometry, threads: $0))
  }
  return Benchmark(
    name: "conv\(kernel)x\(kernel)" + (stride > 1 ? "s\(stride)" : "") + (gradient ? "DX_" : "_")
      + element.rawValue,
    size: "\(side)×\(side)×\(channels)→\(outputs)",
    work: Double(2 * size.height * size.width * outputs * kernel * kernel * channels) * 1e-9, unit: "GFLOP/s"
  ) { pool in
    if gradient {
      convolutionDX(y.ref, weight: w.ref, geometry, into: x.ref, scratch: space.ref.address, pool)
    } else {
      convolution(x.ref, weight: w.ref, bias: nil, geometry, into: y.ref, scratch: space.ref.address, pool)
    }
  }
}

func attentionBenchmark(_ queries: Int, _ keys: Int, heads: Int, size: Int, gradient: Bool = false)
  -> Benchmark
{
  let (q, k, v) = (
    Operand([queries, heads * size]), Operand([keys, heads * size]), Operand([keys, heads * size])
  )
  let (o, logSum) = (Operand([queries, heads * size]), Operand([heads, queries]))
  let (dO, dk, dv) = (
    Operand([queries, heads * size]), Operand([keys, heads * size]), Operand([keys, heads * size])
  )
  let space = scratch {
    max(
      attentionScratchBytes(q: q.type, k: k.type, heads: heads, threads: $0),
      attentionGradientScratchBytes(q: q.type, k: k.type, heads: heads, threads: $0))
  }
  // Two products forward; three for dq and four for dk and dv, since both rebuild the scores.
  let products = gradient ? 7 : 2
  return Benchmark(
    name: gradient ? "attentionGradient" : "attention", size: "\(queries)×\(keys) \(heads)×d\(size)",
    work: Double(2 * products * queries * keys * heads * size) * 1e-9, unit: "GFLOP/s"
  ) { pool in
    if gradient {
      attentionDQ(
        q.ref, k: k.ref, v: v.ref, o: o.ref, logSum: logSum.ref, dO: dO.ref, heads: heads, causal: false,
        into: o.ref,
        scratch: space.ref.address, pool)
      attentionDKV(
        q.ref, k: k.ref, v: v.ref, o: o.ref, logSum: logSum.ref, dO: dO.ref, heads: heads, causal: false,
        intoK: dk.ref, intoV: dv.ref, scratch: space.ref.address, pool)
    } else {
      attention(
        q.ref, k: k.ref, v: v.ref, heads: heads, causal: false, into: o.ref, logSum: logSum.ref,
        scratch: space.ref.address, pool)
    }
  }
}

/// Passes over memory: work counts bytes read and written once.
func memoryBenchmarks() -> [Benchmark] {
  let (rows, c) = (4096, 320)
  let (x, dy, y) = (Operand([64, 64, c]), Operand([64, 64, c]), Operand([64, 64, c]))
  let (gamma, beta, stats) = (Operand([c]), Operand([c]), Operand([32, 2]))
  let (wide, half, rowStats) = (Operand([rows, 8 * c]), Operand([rows, 4 * c]), Operand([rows, 2]))
  let gigabytes = Double(rows * c * 4) * 1e-9
  func passes(_ name: String, _ count: Double, _ run: @escaping (ThreadPool) -> Void) -> Benchmark {
    Benchmark(name: name, size: "64×64×\(c)", work: count * gigabytes, unit: "GB/s", run: run)
  }
  return [
    passes("groupNorm", 3) {
      groupNorm(
        x.ref, gamma: gamma.ref, beta: beta.ref, groups: 32, epsilon: 1e-5, into: y.ref, stats: stats.ref, $0)
    },
    passes("groupNormDX", 5) {
      groupNormDX(x.ref, stats: stats.ref, gamma: gamma.ref, dy: dy.ref, into: y.ref, $0)
    },
    passes("layerNorm", 2) {
      layerNorm(x.ref, gamma: gamma.ref, beta: beta.ref, epsilon: 1e-5, into: y.ref, stats: rowStats.ref, $0)
    },
    passes("silu", 2) { silu(x.ref, into: y.ref, $0) },
    passes("geglu", 12) { geglu(wide.ref, into: half.ref, $0) },
    passes("add", 3) { add(x.ref, dy.ref, into: y.ref, $0) },
  ]
}

/// A checkpoint's weight into panels: work counts bytes read and written.
func packingBenchmark(_ shape: [Int]) -> Benchmark {
  let source = Operand(shape, element: .f16)
  let panels = Operand(shape, element: .f16, layout: .panels)
  return Benchmark(
    name: "packPanels_f16", size: shape.map { String($0) }.joined(separator: "×"),
    work: Double(2 * source.type.byteCount) * 1e-9, unit: "GB/s"
  ) { pool in
    packPanels(
      UnsafeRawBufferPointer(start: source.ref.address, count: source.type.byteCount), element: .f16,
      checkpointShape: shape, rows: 0..<shape[0],
      into: UnsafeMutableRawBufferPointer(start: panels.ref.address, count: panels.type.byteCount), pool)
  }
}
