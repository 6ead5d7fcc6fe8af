import Tensors
import WeightStorage

extension LoRAFile {
  /// Largest value that a branch may add to a weight. Weights are below a hundred; from here on a network's sums run
  /// over, and whoever sees the infinities would take the network's own weights for damaged.
  private static let most: Float = 1e15

  /// Reads a branch's matrices once, which are small beside the layer.
  ///
  /// - Parameter factor: what the file is multiplied by, beside alpha over rank.
  /// - Throws: `LoRAError.notFinite`, `factorTooLarge`; `WeightFileError` if they cannot be read.
  package func check(_ branch: LoRABranch, factor: Float) throws {
    let sizes = try [branch.down, branch.up].map(largest)
    let bound = abs(factor * branch.alpha) * sizes[0] * sizes[1]
    guard bound <= Self.most else {  // NaN is not
      throw LoRAError.factorTooLarge(file: weights.label, layer: branch.layer, factor: "\(factor)")
    }
  }

  /// The largest absolute value of a matrix.
  private func largest(_ tensor: TensorEntry) throws -> Float {
    let element = try weights.element(of: tensor.name)
    let rowBytes = max(tensor.rowCount * element.byteCount, 1)
    let rows = max((1 << 20) / rowBytes, 1)
    let window = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(rows, max(tensor.rows, 1)) * rowBytes, alignment: 64)
    defer { window.deallocate() }
    var largest: Float = 0
    for start in stride(from: 0, to: tensor.rows, by: rows) {
      let part = start..<min(start + rows, tensor.rows)
      let bytes = try weights.read(part, of: tensor.name, into: window)
      for i in 0..<part.count * tensor.rowCount {
        let size = abs(bytes.value(i, element))
        guard size.isFinite else { throw LoRAError.notFinite(file: weights.label, tensor: tensor.name) }
        largest = max(largest, size)
      }
    }
    return largest
  }
}

extension UnsafeRawBufferPointer {
  /// Value `i` of a row of floating-point numbers.
  fileprivate func value(_ i: Int, _ element: ElementType) -> Float {
    switch element {
    case .f32: Float(bitPattern: UInt32(littleEndian: load(fromByteOffset: i * 4, as: UInt32.self)))
    case .f16: Float(Float16(bitPattern: UInt16(littleEndian: load(fromByteOffset: i * 2, as: UInt16.self))))
    case .bf16:
      Float(bitPattern: UInt32(UInt16(littleEndian: load(fromByteOffset: i * 2, as: UInt16.self))) << 16)
    case .s8, .i32: preconditionFailure("\(element) is no element of a LoRA")
    }
  }
}
