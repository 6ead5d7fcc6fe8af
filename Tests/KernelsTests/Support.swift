import Kernels
import Tensors

/// A tensor that owns its memory, with a guard of 64 bytes behind it that must not change.
final class Buffer {
  let type: TensorType
  let address: UnsafeMutableRawPointer

  init(_ shape: [Int], element: ElementType = .f32, layout: Layout = .plain) {
    type = TensorType(shape, element: element, layout: layout)
    address = .allocate(byteCount: type.byteCount + 64, alignment: 64)
    address.initializeMemory(as: UInt8.self, repeating: 0xa5, count: type.byteCount + 64)
  }

  convenience init(_ shape: [Int], _ values: [Float]) {
    self.init(shape)
    precondition(values.count == type.count)
    for (i, v) in values.enumerated() { floats[i] = v }
  }

  /// Evenly distributed in −1…1.
  convenience init(random shape: [Int], seed: UInt64, scale: Float = 1) {
    self.init(shape, Random(seed).floats(shape.reduce(1, *)).map { $0 * scale })
  }

  deinit {
    for i in 0..<64 {
      precondition(
        address.load(fromByteOffset: type.byteCount + i, as: UInt8.self) == 0xa5, "written behind \(type)")
    }
    address.deallocate()
  }

  var ref: TensorRef { TensorRef(type, at: address) }
  var floats: UnsafeMutablePointer<Float> { address.assumingMemoryBound(to: Float.self) }
  var values: [Float] { Array(UnsafeBufferPointer(start: floats, count: type.count)) }
  var doubles: [Double] { values.map(Double.init) }
}

/// A weight both as the checkpoint has it (as doubles) and as panels.
///
/// `checkpointShape` is `[N, K]` or `[O, I, kh, kw]`; `doubles` are in that order, after rounding to `element`.
func makeWeight(
  _ checkpointShape: [Int], element: ElementType = .f32, seed: UInt64
) -> (panels: Buffer, doubles: [Double]) {
  let values = Random(seed).floats(checkpointShape.reduce(1, *))
  let shape =
    checkpointShape.count == 4
    ? [checkpointShape[0], checkpointShape[2], checkpointShape[3], checkpointShape[1]] : checkpointShape
  let panels = Buffer(shape, element: element, layout: .panels)
  let target = UnsafeMutableRawBufferPointer(start: panels.address, count: panels.type.byteCount)
  let rows = 0..<checkpointShape[0]
  func pack<T>(_ stored: [T]) {
    stored.withUnsafeBytes {
      packPanels($0, element: element, checkpointShape: checkpointShape, rows: rows, into: target)
    }
  }
  switch element {
  case .f16:
    let halves = values.map { Float16($0) }
    pack(halves)
    return (panels, halves.map(Double.init))
  case .bf16:
    let patterns = values.map { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }
    pack(patterns)
    return (panels, patterns.map { Double(Float(bitPattern: UInt32($0) << 16)) })
  default:
    pack(values)
    return (panels, values.map(Double.init))
  }
}

/// SplitMix64.
struct Random {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  func floats(_ count: Int) -> [Float] {
    var copy = self
    return (0..<count).map { _ in Float(Int64(bitPattern: copy.next()) >> 40) * 0x1p-23 }
  }
}

/// Half a unit in the last place of 1: the rounding error of one float operation, relative to its result.
let unit = 0x1p-24

/// Scratch that a call asked for, with the guard of `Buffer` behind it.
func withScratch<R>(_ bytes: Int, _ body: (UnsafeMutableRawPointer) -> R) -> R {
  let buffer = Buffer([bytes], element: .s8)
  return body(buffer.address)
}

/// The largest amount by which values leave their tolerance; ≤ 0 means all are close. NaN is never close.
func excess(_ values: [Float], _ wanted: [Double], _ tolerance: (Int) -> Double) -> Double {
  precondition(values.count == wanted.count)
  var worst = -Double.infinity
  for i in values.indices {
    let e = abs(Double(values[i]) - wanted[i]) - tolerance(i)
    worst = e.isNaN ? .infinity : max(worst, e)
  }
  return worst
}
