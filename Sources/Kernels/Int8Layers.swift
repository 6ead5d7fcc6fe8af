import Tensors

/// y = x·Wᵀ + bias on quantized rows and weights
///
/// - Parameters:
///   - x: rows `[…, K]`, of one plane or two
///   - weight: int8 panels `[N, K]`, or `[N, 1, 1, K]` of a 1×1 convolution, which is the same of pixels
///   - bias: `[N]`
///   - isGated: whether y is what `geglu` makes of that, without its ever existing; N is then a multiple of 32 and
///     nothing is added.
///   - y: `[…, N]`, gated `[…, N/2]`
package func linear(
  _ x: Int8Rows, weight: Int8Weight, bias: TensorRef?, _ epilogue: Epilogue = .none, isGated: Bool = false,
  into y: TensorRef, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let (n, k) = (weight.shape[0], weight.shape.last!)
  precondition(
    weight.shape.dropFirst().dropLast().allSatisfy { $0 == 1 } && x.shape.last == k
      && y.rowsAndColumns == (x.rows, isGated ? n / 2 : n),
    "linear: \(x.shape) × \(weight.shape) into \(y.shape)")
  Int8Product(
    rows: x.rows, columns: n, taps: 1, planes: x.planes, depth: x.rowBytes, isGated: isGated
  ).run(
    weight, bias: (bias?.vector(n, "bias")).map { UnsafePointer($0) }, epilogue, into: y.floats,
    scratch: scratch, pool
  ) { _, plane, range, addresses, scales in
    for (i, row) in range.enumerated() {
      let place = row * x.planes + plane
      (addresses[i], scales[i]) = (UnsafePointer(x.bytes + place * x.rowBytes), x.scales[place])
    }
  }
}

/// Scratch of the int8 `linear`; `x` is the type of the floats.
package func int8LinearScratchBytes(
  x: TensorType, weight: TensorType, planes: Int = 1, epilogue: Bool = false, isGated: Bool = false,
  threads: Int
) -> Int {
  let k = weight.shape.last!
  return Int8Product(
    rows: x.count / max(k, 1), columns: weight.shape[0], taps: 1, planes: planes, depth: (k + 3) / 4 * 4,
    isGated: isGated
  ).scratchBytes(threads: threads, epilogue: epilogue)
}

/// The convolution of the floats on quantized pixels and weights.
///
///     y[i][j][o] = bias[o] + scale[o]·Σ_ky Σ_kx s[p]·Σ_c q[p][c]·W[o][ky][kx][c],  p = (i·s + ky − top, …)
///
/// - Parameters:
///   - x: pixels `[H, W, C]`
///   - weight: int8 panels `[O, kh, kw, C]`
///   - bias: `[O]`
///   - y: `[H', W', O]`
///
/// A pixel outside the image has scale 0 and adds exactly nothing.
package func convolution(
  _ x: Int8Rows, weight: Int8Weight, bias: TensorRef?, _ geometry: ConvolutionGeometry,
  enlarged: Enlargement = .none, _ epilogue: Epilogue = .none, into y: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  precondition(
    x.shape.count == 3 && x.planes == 1 && weight.shape.count == 4,
    "convolution: \(x.shape) × \(weight.shape)")
  let (image, n) = (enlarged.image(x.shape), weight.shape[0])
  let (kh, kw) = (weight.shape[1], weight.shape[2])
  let size = geometry.outputSize(height: image.height, width: image.width, kernel: (kh, kw))
  precondition(
    weight.shape[3] == x.shape[2] && y.shape == [size.height, size.width, n],
    "convolution: \(x.shape) × \(weight.shape), \(geometry) into \(y.shape)")
  let pixels = UnsafePointer(x.bytes)
  Int8Product(rows: size.height * size.width, columns: n, taps: kh * kw, depth: x.rowBytes).run(
    weight, bias: (bias?.vector(n, "bias")).map { UnsafePointer($0) }, epilogue, into: y.floats,
    scratch: scratch, pool
  ) { tap, _, range, addresses, scales in
    geometry.forEachSource(
      of: range, outputWidth: size.width, tap: tap, kernelWidth: kw, in: image
    ) { row, source in
      addresses[row] = pixels + (source ?? 0) * x.rowBytes
      scales[row] = source.map { x.scales[$0] } ?? 0
    }
  }
}

/// Scratch of the int8 `convolution`; `x` is the type of the floats.
package func int8ConvolutionScratchBytes(
  x: TensorType, weight: TensorType, _ geometry: ConvolutionGeometry, enlarged: Enlargement = .none,
  epilogue: Bool = false, threads: Int
) -> Int {
  let (kh, kw) = (weight.shape[1], weight.shape[2])
  let image = enlarged.image(x.shape)
  let size = geometry.outputSize(height: image.height, width: image.width, kernel: (kh, kw))
  return Int8Product(
    rows: size.height * size.width, columns: weight.shape[0], taps: kh * kw,
    depth: (x.shape[2] + 3) / 4 * 4
  ).scratchBytes(threads: threads, epilogue: epilogue)
}
