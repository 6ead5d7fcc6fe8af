import Files
import WeightStorage

/// Takes packed weights, one after another and each in pieces.
protocol WeightSink: AnyObject {
  /// Bytes of all weights so far.
  var byteCount: Int { get }

  func begin(_ name: String, _ element: StoredElement, _ shape: [Int]) throws
  /// - Parameter fill: writes all of its bytes.
  func append(_ byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) throws
  func append(_ bytes: UnsafeRawBufferPointer) throws
  func append(_ values: [Float]) throws
  func endTensor()
  /// Forgets the weight that was begun.
  func cancelTensor()
}

extension ContainerWriter: WeightSink {}

/// Counts what it is given: for what packing a weight would cost.
final class CountingSink: WeightSink {
  private(set) var byteCount = 0
  private var start = 0
  private let piece = ReusedBuffer()

  func begin(_ name: String, _ element: StoredElement, _ shape: [Int]) { start = byteCount }

  func append(_ byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    try fill(piece.bytes(byteCount))
    self.byteCount += byteCount
  }

  func append(_ bytes: UnsafeRawBufferPointer) { byteCount += bytes.count }
  func append(_ values: [Float]) { byteCount += 4 * values.count }
  func endTensor() {}
  func cancelTensor() { byteCount = start }
}
