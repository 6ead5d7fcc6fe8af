import Tensors

/// A tensor in memory that somebody else owns, valid for one call. Alignment 64 bytes.
package struct TensorRef {
  package let type: TensorType
  package let address: UnsafeMutableRawPointer

  package init(_ type: TensorType, at address: UnsafeMutableRawPointer) {
    self.type = type
    self.address = address
  }
}

extension TensorRef {
  var shape: [Int] { type.shape }

  /// The elements as floats; only for plain f32.
  var floats: UnsafeMutablePointer<Float> {
    precondition(type.element == .f32 && type.layout == .plain, "floats wanted, got \(type)")
    return address.assumingMemoryBound(to: Float.self)
  }

  /// `[rows, columns]` of a tensor read as a list of rows of its last dimension.
  var rowsAndColumns: (rows: Int, columns: Int) {
    let columns = shape.last!
    return (columns == 0 ? 0 : type.count / columns, columns)
  }

  /// The value of a float tensor that has one.
  package var scalar: Float {
    precondition(type.count == 1, "one value wanted, got \(type)")
    return floats[0]
  }

  /// Address and length of a vector of `count` floats.
  func vector(_ count: Int, _ what: String) -> UnsafeMutablePointer<Float> {
    precondition(type.count == count, "\(what) has shape \(shape), wanted \(count) values")
    return floats
  }
}

/// Hands out aligned pieces of scratch memory.
struct ScratchCursor {
  private var next: UInt

  init(_ scratch: UnsafeMutableRawPointer) { next = Self.aligned(UInt(bitPattern: scratch)) }

  mutating func take<T>(_ count: Int, of type: T.Type) -> UnsafeMutablePointer<T> {
    let start = UnsafeMutableRawPointer(bitPattern: next)!.bindMemory(to: type, capacity: count)
    next = Self.aligned(next + UInt(count * MemoryLayout<T>.stride))
    return start
  }

  /// Bytes that pieces of these sizes take, alignment of the first included.
  static func bytes(_ pieces: [Int]) -> Int { 64 + pieces.reduce(0) { $0 + Int(aligned(UInt($1))) } }

  private static func aligned(_ n: UInt) -> UInt { (n + 63) & ~63 }
}

extension TensorRef {
  /// Copies of at most `count` rows of a plain f32 tensor, evenly spread.
  package func sampledRows(_ count: Int) -> [Float] {
    let (rows, columns) = rowsAndColumns
    let taken = min(count, rows)
    return (0..<taken).flatMap { i in
      UnsafeBufferPointer(start: floats + i * rows / max(taken, 1) * columns, count: columns)
    }
  }
}
