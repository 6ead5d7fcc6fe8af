import Tensors

/// The pixels of a convolution's input by the taps that reach them. With a stride s, pixel (y, x) is under tap (ky, kx)
/// of some window only where (y + top − ky) and (x + left − kx) are multiples of s: pixels of equal remainders share their
/// taps, a quarter of them at stride 2. They are s lines and columns apart.
struct InputPhases {
  struct Phase {
    /// The first pixel of the phase, and how many follow at the stride.
    let y: Int, x: Int
    let height: Int, width: Int
    /// In their order.
    let taps: [Int]
    fileprivate let geometry: ConvolutionGeometry, kernelWidth: Int

    var pixels: Int { height * width }

    /// The pixel of dy whose window has `tap` over the first pixel of the phase; the others follow one by one.
    func origin(of tap: Int) -> (y: Int, x: Int) {
      let s = geometry.stride
      return (
        (y + geometry.top - tap / kernelWidth).floorQuotient(s),
        (x + geometry.left - tap % kernelWidth).floorQuotient(s)
      )
    }

    /// Copies rows `[pixels, channels]` to the phase's places in a picture `[H, W, channels]`.
    func spread(
      _ rows: UnsafePointer<Float>, _ channels: Int, over picture: TensorRef, _ pool: ThreadPool
    ) {
      let (s, lineWidth, to) = (geometry.stride, picture.shape[1], picture.floats)
      pool.run(height) { i, _ in
        for j in 0..<width {
          let place = (y + i * s) * lineWidth + x + j * s
          (to + place * channels).update(from: rows + (i * width + j) * channels, count: channels)
        }
      }
    }
  }

  let all: [Phase]
  /// One phase is the whole picture.
  var isWhole: Bool { all.count == 1 && all[0].geometry.stride == 1 }
  var mostPixels: Int { all.map(\.pixels).max() ?? 0 }

  init(_ geometry: ConvolutionGeometry, height: Int, width: Int, kernel: (height: Int, width: Int)) {
    let s = geometry.stride
    var all: [Phase] = []
    for y in 0..<min(s, height) {
      for x in 0..<min(s, width) {
        let taps = (0..<kernel.height * kernel.width).filter { tap in
          (y + geometry.top - tap / kernel.width) % s == 0
            && (x + geometry.left - tap % kernel.width) % s == 0
        }
        all.append(
          Phase(
            y: y, x: x, height: (height - y + s - 1) / s, width: (width - x + s - 1) / s, taps: taps,
            geometry: geometry, kernelWidth: kernel.width))
      }
    }
    self.all = all
  }
}

extension Int {
  /// ⌊self/n⌋, also of negative numbers.
  fileprivate func floorQuotient(_ n: Int) -> Int { self >= 0 ? self / n : -((n - 1 - self) / n) }
}
