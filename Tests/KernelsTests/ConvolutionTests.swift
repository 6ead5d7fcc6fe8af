import Kernels
import Tensors
import TestSupport
import Testing

@Suite("Convolution") struct ConvolutionTests {
  struct Case: Sendable, CustomStringConvertible {
    var height: Int, width: Int, channels: Int, outputs: Int, kernel: Int
    var geometry: ConvolutionGeometry
    var description: String { "\(height)×\(width)×\(channels)→\(outputs), \(kernel)×\(kernel), \(geometry)" }
  }

  static let cases = [
    Case(height: 7, width: 5, channels: 3, outputs: 4, kernel: 3, geometry: .init(padding: 1)),
    Case(height: 13, width: 11, channels: 17, outputs: 33, kernel: 3, geometry: .init(padding: 1)),
    Case(height: 8, width: 9, channels: 16, outputs: 32, kernel: 3, geometry: .init(stride: 2, padding: 1)),
    Case(
      height: 9, width: 8, channels: 20, outputs: 18, kernel: 3,
      geometry: .init(stride: 2, top: 0, left: 0, bottom: 1, right: 1)),
    Case(
      height: 6, width: 7, channels: 4, outputs: 16, kernel: 3,
      geometry: .init(top: 2, left: 0, bottom: 1, right: 3)),
    Case(height: 23, width: 19, channels: 31, outputs: 15, kernel: 1, geometry: .init(padding: 0)),
    Case(height: 5, width: 6, channels: 7, outputs: 9, kernel: 1, geometry: .init(stride: 2, padding: 0)),
    Case(height: 3, width: 3, channels: 260, outputs: 5, kernel: 3, geometry: .init(padding: 1)),
    Case(height: 11, width: 10, channels: 5, outputs: 7, kernel: 4, geometry: .init(stride: 3, padding: 2)),
  ]

  /// Tolerance: length of the sum × u × the sum of the products' sizes, twice for unfused products.
  @Test("agrees with a direct loop in double", arguments: KernelSet.runnable, cases)
  func direct(set: KernelSet, example: Case) {
    let e = Example(example, element: .f16)
    let y = e.forward(ThreadPool.of(2, kernels: set))
    var wanted = (0..<y.type.count).map { e.bias.doubles[$0 % example.outputs] }
    var size = wanted.map(abs)
    e.eachProduct { out, input, weight, _ in
      wanted[out] += Double(e.x.floats[input]) * e.weights[weight]
      size[out] += abs(Double(e.x.floats[input]) * e.weights[weight])
    }
    let length = Double(2 * (example.channels * example.kernel * example.kernel + 1))
    #expect(excess(y.values, wanted) { length * unit * size[$0] } <= 0)
  }

  @Test("input gradient agrees with a direct loop in double", arguments: KernelSet.runnable, cases)
  func gradient(set: KernelSet, example: Case) {
    let e = Example(example, element: .bf16)
    let dx = e.backward(ThreadPool.of(2, kernels: set))
    var wanted = [Double](repeating: 0, count: dx.type.count)
    var size = wanted
    e.eachProduct { out, input, weight, _ in
      wanted[input] += Double(e.dy.floats[out]) * e.weights[weight]
      size[input] += abs(Double(e.dy.floats[out]) * e.weights[weight])
    }
    let length = Double(2 * example.outputs * example.kernel * example.kernel)
    #expect(excess(dx.values, wanted) { length * unit * size[$0] } <= 0)
  }

  @Test("gives the same bits with any number of threads", arguments: cases, [2, 3, 5])
  func threads(example: Case, count: Int) {
    let e = Example(example, element: .f32)
    #expect(e.forward(ThreadPool.of(1)).values == e.forward(ThreadPool.of(count)).values)
    #expect(e.backward(ThreadPool.of(1)).values == e.backward(ThreadPool.of(count)).values)
  }

  @Test("gives the same bits when the image grows downwards")
  func tileIndependence() {
    // The first rows of a taller image fall into other tiles and blocks, but see the same pixels.
    let geometry = ConvolutionGeometry(padding: 1)
    let small = Case(height: 17, width: 29, channels: 40, outputs: 20, kernel: 3, geometry: geometry)
    var tall = small
    tall.height = 40
    let (a, b) = (Example(small, element: .f32), Example(tall, element: .f32))
    a.x.floats.update(from: b.x.floats, count: a.x.type.count)
    let inner = 16 * 29 * 20  // the last row of the small one sees padding
    let pool = ThreadPool.of(2)
    #expect(a.forward(pool).values.prefix(inner) == b.forward(pool).values.prefix(inner))
  }

  /// Operands of one case and the calls on them.
  struct Example {
    let c: Case, size: (height: Int, width: Int)
    let x: Buffer, dy: Buffer, panels: Buffer, bias: Buffer, weights: [Double]

    init(_ c: Case, element: ElementType) {
      self.c = c
      size = c.geometry.outputSize(height: c.height, width: c.width, kernel: (c.kernel, c.kernel))
      x = Buffer(random: [c.height, c.width, c.channels], seed: 1)
      dy = Buffer(random: [size.height, size.width, c.outputs], seed: 5)
      bias = Buffer(random: [c.outputs], seed: 3)
      (panels, weights) = makeWeight([c.outputs, c.channels, c.kernel, c.kernel], element: element, seed: 2)
    }

    func forward(_ pool: ThreadPool) -> Buffer {
      let y = Buffer([size.height, size.width, c.outputs])
      withScratch(
        convolutionScratchBytes(x: x.type, weight: panels.type, c.geometry, threads: pool.threads)
      ) {
        convolution(x.ref, weight: panels.ref, bias: bias.ref, c.geometry, into: y.ref, scratch: $0, pool)
      }
      return y
    }

    func backward(_ pool: ThreadPool) -> Buffer {
      let dx = Buffer(x.type.shape)
      withScratch(
        convolutionDXScratchBytes(
          dy: dy.type, weight: panels.type, dx: dx.type, c.geometry, threads: pool.threads)
      ) {
        convolutionDX(dy.ref, weight: panels.ref, c.geometry, into: dx.ref, scratch: $0, pool)
      }
      return dx
    }

    func eachProduct(_ body: (_ out: Int, _ input: Int, _ weight: Int, _ tap: Int) -> Void) {
      ConvolutionTests.eachProduct(c, body)
    }
  }

  /// Calls `body` with the indices of every product y[out] += x[input]·w[weight] of one tap.
  static func eachProduct(
    _ c: Case, _ body: (_ out: Int, _ input: Int, _ weight: Int, _ tap: Int) -> Void
  ) {
    let g = c.geometry
    let size = g.outputSize(height: c.height, width: c.width, kernel: (c.kernel, c.kernel))
    for i in 0..<size.height {
      for j in 0..<size.width {
        for tap in 0..<c.kernel * c.kernel {
          let (y, x) = (i * g.stride + tap / c.kernel - g.top, j * g.stride + tap % c.kernel - g.left)
          guard y >= 0, y < c.height, x >= 0, x < c.width else { continue }
          for o in 0..<c.outputs {
            for ch in 0..<c.channels {
              body(
                (i * size.width + j) * c.outputs + o, (y * c.width + x) * c.channels + ch,
                (o * c.channels + ch) * c.kernel * c.kernel + tap, tap)
            }
          }
        }
      }
    }
  }
}
