import CKernels
import Tensors

/// Stride and padding of a convolution; the kernel's size is the weight's.
package struct ConvolutionGeometry: Hashable, Sendable {
  package var stride: Int
  package var top: Int, left: Int, bottom: Int, right: Int

  package init(stride: Int = 1, top: Int, left: Int, bottom: Int, right: Int) {
    (self.stride, self.top, self.left, self.bottom, self.right) = (stride, top, left, bottom, right)
  }

  /// The same padding on all sides.
  package init(stride: Int = 1, padding: Int) {
    self.init(stride: stride, top: padding, left: padding, bottom: padding, right: padding)
  }

  /// `[H', W']` for an image `[H, W]` and a kernel `[kh, kw]`.
  package func outputSize(height: Int, width: Int, kernel: (height: Int, width: Int)) -> (
    height: Int, width: Int
  ) {
    (
      (height + top + bottom - kernel.height) / stride + 1,
      (width + left + right - kernel.width) / stride + 1
    )
  }

  /// Calls `body(row, source)` for the output pixels `pixels` of an image `outputWidth` wide: row counts
  /// from 0, source is the pixel of x, which `image` sees, under `tap` of a kernel `kernelWidth` wide, nil outside.
  @inline(__always)
  func forEachSource(
    of pixels: Range<Int>, outputWidth: Int, tap: Int, kernelWidth: Int, in image: EnlargedImage,
    _ body: (_ row: Int, _ source: Int?) -> Void
  ) {
    let (ky, kx) = (tap / kernelWidth, tap % kernelWidth)
    var (i, j) = (pixels.lowerBound / outputWidth, pixels.lowerBound % outputWidth)
    for row in 0..<pixels.count {
      body(row, image.source(i * stride + ky - top, j * stride + kx - left))
      j += 1
      if j == outputWidth { (i, j) = (i + 1, 0) }
    }
  }
}

/// Nearest-neighbour enlargement by a whole factor as a convolution sees it: every pixel of x stands for factor² pixels,
/// which exist nowhere.
package struct Enlargement: Hashable, Sendable {
  package var factor: Int
  /// Of a band: lines of the enlarged image that its first line of x stands for and that lie above it, and the lines that
  /// are left (nil: all).
  package var phase = 0, lines: Int?

  package init(by factor: Int) { self.factor = factor }

  package static let none = Enlargement(by: 1)

  func image(_ x: [Int]) -> EnlargedImage {
    EnlargedImage(
      height: lines ?? x[0] * factor, width: x[1] * factor, factor: factor, phase: phase, sourceWidth: x[1])
  }
}

/// An image of `height` × `width` pixels whose pixels are those of a smaller one.
struct EnlargedImage {
  let height: Int, width: Int, factor: Int, phase: Int, sourceWidth: Int

  /// The pixel of x behind (i, j), nil outside the image.
  @inline(__always)
  func source(_ i: Int, _ j: Int) -> Int? {
    guard i >= 0, i < height, j >= 0, j < width else { return nil }
    return factor == 1 ? i * sourceWidth + j : (i + phase) / factor * sourceWidth + j / factor
  }
}

/// y[i][j][o] = bias[o] + Σ_ky Σ_kx Σ_c x[i·s + ky − top][j·s + kx − left][c]·W[o][ky][kx][c]
///
/// - Parameters:
///   - x: `[H, W, C]`
///   - weight: panels `[O, kh, kw, C]`
///   - bias: `[O]`
///   - y: `[H', W', O]`
///
/// Outside the image x is zero. Every tap is a product of pixel rows with a slice of the panels.
package func convolution(
  _ x: TensorRef, weight: TensorRef, bias: TensorRef?, _ geometry: ConvolutionGeometry,
  enlarged: Enlargement = .none, _ epilogue: Epilogue = .none, into y: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let w = PanelWeight(weight, pool.kernels)
  convolution(x, w, weight.type, bias, geometry, enlarged, epilogue, into: y, scratch: scratch, pool)
}

/// The same with W = scale·q, on floats throughout; the bits of the same weight in panels of floats.
package func convolution(
  _ x: TensorRef, weight: Int8Weight, bias: TensorRef?, _ geometry: ConvolutionGeometry,
  enlarged: Enlargement = .none, _ epilogue: Epilogue = .none, into y: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let w = PanelWeight(weight, pool.kernels)
  convolution(x, w, weight.panels.type, bias, geometry, enlarged, epilogue, into: y, scratch: scratch, pool)
}

private func convolution(
  _ x: TensorRef, _ w: PanelWeight, _ weight: TensorType, _ bias: TensorRef?, _ geometry: ConvolutionGeometry,
  _ enlarged: Enlargement, _ epilogue: Epilogue, into y: TensorRef, scratch: UnsafeMutableRawPointer,
  _ pool: ThreadPool
) {
  let (image, channels) = (enlarged.image(x.shape), x.shape[2])
  let (kh, kw) = (weight.shape[1], weight.shape[2])
  let size = geometry.outputSize(height: image.height, width: image.width, kernel: (kh, kw))
  precondition(
    weight.shape.count == 4 && weight.shape[3] == channels && y.shape == [size.height, size.width, w.n],
    "convolution: \(x.shape) × \(weight.shape), \(geometry) into \(y.shape)")

  var cursor = ScratchCursor(scratch)
  let zeros = cursor.take(channels, of: Float.self)
  zeros.update(repeating: 0, count: channels)
  let outside = UnsafePointer(zeros)
  let input = UnsafePointer(x.floats)
  PanelProduct(rows: size.height * size.width, columns: w.n, taps: kh * kw, depth: channels).run(
    into: y.floats, bias: (bias?.vector(w.n, "bias")).map { UnsafePointer($0) }, epilogue,
    scratch: zeros + (channels + 15) / 16 * 16, pool,
    rowPointers: { tap, pixels, table in
      geometry.forEachSource(
        of: pixels, outputWidth: size.width, tap: tap, kernelWidth: kw, in: image
      ) { table[$0] = $1.map { input + $0 * channels } ?? outside }
    },
    panels: { tap, k, panels, scratch in
      let first = tap * channels
      return w.block(rows: first + k.lowerBound..<first + k.upperBound, panels: panels, scratch)
    })
}

/// Of either `convolution` on floats.
package func convolutionScratchBytes(
  x: TensorType, weight: TensorType, _ geometry: ConvolutionGeometry, enlarged: Enlargement = .none,
  epilogue: Bool = false, threads: Int
) -> Int {
  let (kh, kw) = (weight.shape[1], weight.shape[2])
  let image = enlarged.image(x.shape)
  let size = geometry.outputSize(height: image.height, width: image.width, kernel: (kh, kw))
  let product = PanelProduct(
    rows: size.height * size.width, columns: weight.shape[0], taps: kh * kw, depth: x.shape[2])
  return ScratchCursor.bytes([
    x.shape[2] * 4, product.scratchBytes(threads: threads, epilogue: epilogue),
  ])
}

/// dx[y][x][c] = Σ_ky Σ_kx Σ_o dy[(y + top − ky)/s][(x + left − kx)/s][o]·W[o][ky][kx][c], where both
/// quotients are whole and inside dy.
///
/// - Parameters:
///   - dy: `[H', W', O]`
///   - weight: panels `[O, kh, kw, C]`
///   - dx: `[H, W, C]`
package func convolutionDX(
  _ dy: TensorRef, weight: TensorRef, _ geometry: ConvolutionGeometry, into dx: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let w = PanelWeight(weight, pool.kernels)
  convolutionDX(dy, w, weight.type, geometry, into: dx, scratch: scratch, pool)
}

/// The same with W = scale·q, on floats throughout; the bits of the same weight in panels of floats.
package func convolutionDX(
  _ dy: TensorRef, weight: Int8Weight, _ geometry: ConvolutionGeometry, into dx: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let w = PanelWeight(weight, pool.kernels)
  convolutionDX(dy, w, weight.panels.type, geometry, into: dx, scratch: scratch, pool)
}

private func convolutionDX(
  _ dy: TensorRef, _ w: PanelWeight, _ weight: TensorType, _ geometry: ConvolutionGeometry,
  into dx: TensorRef, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let (height, width, channels) = (dx.shape[0], dx.shape[1], dx.shape[2])
  let (kh, kw) = (weight.shape[1], weight.shape[2])
  let size = geometry.outputSize(height: height, width: width, kernel: (kh, kw))
  precondition(
    weight.shape.count == 4 && weight.shape[3] == channels && dy.shape == [size.height, size.width, w.n],
    "convolutionDX: \(dy.shape) × \(weight.shape), \(geometry) into \(dx.shape)")

  let phases = InputPhases(geometry, height: height, width: width, kernel: (kh, kw))
  var cursor = ScratchCursor(scratch)
  let zeros = cursor.take(w.n, of: Float.self)
  zeros.update(repeating: 0, count: w.n)
  let outside = UnsafePointer(zeros)
  let part = cursor.take(phases.isWhole ? 0 : phases.mostPixels * channels, of: Float.self)
  let rest = cursor.take(0, of: Float.self)
  let input = UnsafePointer(dy.floats)
  for phase in phases.all {
    let result = phases.isWhole ? dx.floats : part
    if phase.taps.isEmpty { result.update(repeating: 0, count: phase.pixels * channels) }
    PanelProduct(rows: phase.pixels, columns: channels, taps: phase.taps.count, depth: w.n).run(
      into: result, bias: nil, scratch: rest, pool,
      rowPointers: { index, pixels, table in
        let (top, left) = phase.origin(of: phase.taps[index])
        var (i, j) = (pixels.lowerBound / phase.width, pixels.lowerBound % phase.width)
        for row in 0..<pixels.count {
          let (yy, xx) = (i + top, j + left)
          let isInside = yy >= 0 && xx >= 0 && yy < size.height && xx < size.width
          table[row] = isInside ? input + (yy * size.width + xx) * w.n : outside
          j += 1
          if j == phase.width { (i, j) = (i + 1, 0) }
        }
      },
      panels: { index, outputs, panels, scratch in
        let first = phase.taps[index] * channels
        return w.transposedBlock(
          outputs: outputs, panels: panels, first: first, end: first + channels, scratch)
      })
    if !phases.isWhole { phase.spread(part, channels, over: dx, pool) }
  }
}

/// Of either `convolutionDX`.
package func convolutionDXScratchBytes(
  dy: TensorType, weight: TensorType, dx: TensorType, _ geometry: ConvolutionGeometry, threads: Int
) -> Int {
  let phases = InputPhases(
    geometry, height: dx.shape[0], width: dx.shape[1], kernel: (weight.shape[1], weight.shape[2]))
  let products = phases.all.map {
    PanelProduct(rows: $0.pixels, columns: dx.shape[2], taps: $0.taps.count, depth: weight.shape[0])
      .scratchBytes(threads: threads)
  }
  return ScratchCursor.bytes([
    weight.shape[0] * 4, phases.isWhole ? 0 : phases.mostPixels * dx.shape[2] * 4, products.max() ?? 0,
  ])
}
