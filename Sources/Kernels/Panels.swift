import CKernels
import Tensors

/// The weight of a product of floats: panels `[ceil(N/16)][K][16 columns]` of f32, f16 or bf16, or an int8
/// weight as scale·q.
struct PanelWeight {
  let element: ElementType
  let address: UnsafeMutableRawPointer
  /// Columns (outputs), rows per panel (inputs).
  let n: Int, k: Int
  /// Of an int8 weight, and how many of the K inputs a tap has.
  private let scales: UnsafePointer<Float>?
  private let channels: Int
  private let kernels: UnsafePointer<kernel_set>

  init(_ weight: TensorRef, _ kernels: KernelSet) {
    precondition(weight.type.layout == .panels, "a weight in panels wanted, got \(weight.type)")
    precondition(
      [.f32, .f16, .bf16].contains(weight.type.element), "a weight of floats wanted, got \(weight.type)")
    self.init(weight, scales: nil, kernels)
  }

  init(_ weight: Int8Weight, _ kernels: KernelSet) {
    self.init(weight.panels, scales: UnsafePointer(weight.scales.floats), kernels)
  }

  private init(_ weight: TensorRef, scales: UnsafePointer<Float>?, _ kernels: KernelSet) {
    element = weight.type.element
    address = weight.address
    n = weight.shape[0]
    k = weight.shape.dropFirst().reduce(1, *)
    channels = weight.shape.last!
    self.scales = scales
    self.kernels = kernels.table
  }

  /// `count` floats from element `index` of the panels on: in place, or widened into `scratch`.
  private func floats(
    _ index: Int, _ count: Int, _ scratch: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    switch element {
    case .f16:
      kernels.pointee.widen_f16(count, address.assumingMemoryBound(to: UInt16.self) + index, scratch)
    case .bf16:
      kernels.pointee.widen_bf16(count, address.assumingMemoryBound(to: UInt16.self) + index, scratch)
    default:
      return UnsafePointer(address.assumingMemoryBound(to: Float.self) + index)
    }
    return UnsafePointer(scratch)
  }

  /// Rows `rows` of the panels `panels`, for y = x·Wᵀ.
  func block(
    rows: Range<Int>, panels: Range<Int>, _ scratch: UnsafeMutablePointer<Float>
  ) -> (address: UnsafePointer<Float>, stride: Int) {
    if let scales { return dequantized(scales, rows: rows, panels: panels, scratch) }
    if element == .f32 {
      return (floats((panels.lowerBound * k + rows.lowerBound) * 16, 0, scratch), k * 16)
    }
    for (i, panel) in panels.enumerated() {
      _ = floats((panel * k + rows.lowerBound) * 16, rows.count * 16, scratch + i * rows.count * 16)
    }
    return (UnsafePointer(scratch), rows.count * 16)
  }

  /// Rows of an int8 weight; they start at a multiple of 4 of a tap's channels and end in the same tap.
  private func dequantized(
    _ scales: UnsafePointer<Float>, rows: Range<Int>, panels: Range<Int>,
    _ scratch: UnsafeMutablePointer<Float>
  ) -> (address: UnsafePointer<Float>, stride: Int) {
    let (tap, first) = rows.lowerBound.quotientAndRemainder(dividingBy: channels)
    let groups = (rows.count + 3) / 4
    for (i, panel) in panels.enumerated() {
      let bytes =
        address + (panel * (k / channels) + tap) * int8TapBytes(channels: channels) + 64 + first / 4 * 64
      kernels.pointee.dequantize_rows(
        groups, min(16, n - panel * 16), bytes.assumingMemoryBound(to: Int8.self), scales + panel * 16,
        scratch + i * groups * 64)
    }
    return (UnsafePointer(scratch), groups * 64)
  }

  /// The transposed weight for dx = dy·W: columns are the inputs `first + 16·panels`, below `end`; rows
  /// are the outputs `outputs`, which start at a multiple of 16.
  ///
  /// A 16 × 16 block of a panel is contiguous, so it is widened to a corner of scratch and turned. Of an int8
  /// weight, every output's channels already lie together, four by four.
  func transposedBlock(
    outputs: Range<Int>, panels: Range<Int>, first: Int, end: Int, _ scratch: UnsafeMutablePointer<Float>
  ) -> (address: UnsafePointer<Float>, stride: Int) {
    let rows = TileLimits.panels(outputs.count) * TileLimits.panelColumns
    let corner = scratch + panels.count * rows * 16
    for (i, panel) in panels.enumerated() {
      let input = first + panel * 16
      let valid = min(16, end - input)
      for (j, output) in stride(from: outputs.lowerBound, to: outputs.upperBound, by: 16).enumerated() {
        let turned = scratch + (i * rows + j * 16) * 16
        if let scales {
          let tap = output / 16 * (k / channels) + first / channels
          let bytes = address + tap * int8TapBytes(channels: channels) + 64 + panel * 256
          kernels.pointee.dequantize_block(
            min(16, outputs.upperBound - output), (valid + 3) / 4, bytes.assumingMemoryBound(to: Int8.self),
            scales + output, turned)
          continue
        }
        var block = floats((output / 16 * k + input) * 16, valid * 16, corner)
        if valid < 16 {
          if block != UnsafePointer(corner) { corner.update(from: block, count: valid * 16) }
          (corner + valid * 16).update(repeating: 0, count: (16 - valid) * 16)
          block = UnsafePointer(corner)
        }
        kernels.pointee.transpose_16x16(block, 16, turned, 16)
      }
    }
    return (UnsafePointer(scratch), rows * 16)
  }
}

/// Packs consecutive rows of a weight as the checkpoint stores it into panels; the element type stays.
///
/// - Parameters:
///   - source: exactly the rows `rows`, row-major.
///   - checkpointShape: `[N, K]`, or `[O, I, kh, kw]`, which becomes K order (ky, kx, channel).
///   - rows: starts at a multiple of 16; ends at one, or at N.
///   - into: the panels of these rows, columns past N zero.
package func packPanels(
  _ source: UnsafeRawBufferPointer, element: ElementType, checkpointShape: [Int], rows: Range<Int>,
  into target: UnsafeMutableRawBufferPointer, _ pool: ThreadPool? = nil
) {
  let n = checkpointShape[0]
  let channels = checkpointShape.count > 1 ? checkpointShape[1] : 1
  let taps = checkpointShape.dropFirst(2).reduce(1, *)
  let rowBytes = channels * taps * element.byteCount
  precondition(
    rows.lowerBound % 16 == 0 && rows.upperBound <= n && (rows.upperBound % 16 == 0 || rows.upperBound == n),
    "rows \(rows) of \(checkpointShape) are not whole panels")
  precondition(source.count == rows.count * rowBytes, "\(source.count) bytes for \(rows.count) × \(rowBytes)")
  let panels = TileLimits.panels(rows.count)
  precondition(
    target.count >= panels * 16 * rowBytes, "\(target.count) bytes for \(panels) panels of \(rowBytes * 16)")
  guard panels > 0, let from = source.baseAddress, let to = target.baseAddress else { return }

  let pack = { (panel: Int, _: Int) in
    let valid = min(16, rows.count - panel * 16)
    let (x, y) = (from + panel * 16 * rowBytes, to + panel * 16 * rowBytes)
    switch element.byteCount {
    case 2:
      pack_panel_16bit(
        valid, channels, taps, x.assumingMemoryBound(to: UInt16.self), y.assumingMemoryBound(to: UInt16.self))
    case 4:
      pack_panel_32bit(
        valid, channels, taps, x.assumingMemoryBound(to: UInt32.self), y.assumingMemoryBound(to: UInt32.self))
    default: preconditionFailure("no panels of \(element)")
    }
  }
  if let pool { pool.run(panels, pack) } else { for panel in 0..<panels { pack(panel, 0) } }
}

/// Converts f32, f16 or bf16 values to floats, exactly.
package func convertToFloat(
  _ source: UnsafeRawBufferPointer, element: ElementType, into target: UnsafeMutablePointer<Float>
) {
  guard let from = source.baseAddress else { return }
  let count = source.count / element.byteCount
  let kernels = KernelSet.chosen.table
  switch element {
  case .f32: UnsafeMutableRawPointer(target).copyMemory(from: from, byteCount: count * 4)
  case .f16: kernels.pointee.widen_f16(count, from.assumingMemoryBound(to: UInt16.self), target)
  case .bf16: kernels.pointee.widen_bf16(count, from.assumingMemoryBound(to: UInt16.self), target)
  default: preconditionFailure("\(element) is not a floating-point type")
  }
}
