import Tensors

/// Where a tensor lies in its file. Made by validation, so every range is inside the file and fits the shape.
package struct TensorEntry: Sendable, Equatable {
  package let name: String
  package let element: StoredElement
  package let shape: [Int]
  /// Bytes from the start of the file.
  package let range: Range<Int>
  /// The file has the matrix with rows and columns exchanged; `shape` is what a reader sees.
  package let isTransposed: Bool
  /// `.panels` where the file has the weight as the kernels read it (`Layout`); `shape` is that of the checkpoint.
  package let layout: Layout
  /// Groups of input channels that were rotated (`WeightFormat`).
  package let rotation: Int?
  package let activations: ActivationBits
  /// What all values are multiplied by (scaled eight-bit floating point); nil for 1.
  package let scale: Float?

  init(
    name: String, element: StoredElement, shape: [Int], range: Range<Int>, isTransposed: Bool = false,
    layout: Layout = .plain, rotation: Int? = nil, activations: ActivationBits = .eight, scale: Float? = nil
  ) {
    (self.name, self.element, self.shape, self.range) = (name, element, shape, range)
    (self.isTransposed, self.layout, self.rotation, self.scale) = (isTransposed, layout, rotation, scale)
    self.activations = activations
  }

  /// What a network reads it as; nil for elements that are no weights here. Scaled values are 32 bits wide, for a
  /// product does not fit into sixteen.
  package var weight: ElementType? { scale == nil ? element.weight : .f32 }

  /// Elements, padding of panels not counted; a tensor without dimensions has one.
  package var count: Int { shape.reduce(1, *) }
  /// The first dimension; a tensor without dimensions is one row.
  package var rows: Int { shape.first ?? 1 }
  /// Elements of a row.
  package var rowCount: Int { rows == 0 ? 0 : shape.dropFirst().reduce(1, *) }

  /// Where some elements lie in the file, in its order; blocks that the range only touches belong to it.
  func bytes(ofElements elements: Range<Int>) -> Range<Int> {
    let first = elements.lowerBound / element.blockLength
    let end = (elements.upperBound + element.blockLength - 1) / element.blockLength
    return range.lowerBound + first * element.blockBytes..<range.lowerBound + end * element.blockBytes
  }

  /// Elements of some rows, in the file's order.
  func elements(of rows: Range<Int>) -> Range<Int> {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= self.rows, "rows \(rows) of \(name) \(shape)")
    return rows.lowerBound * rowCount..<rows.upperBound * rowCount
  }

  /// Where some rows lie in the file; all of it where they are not together.
  func bytes(of rows: Range<Int>) -> Range<Int> {
    isTransposed ? range : bytes(ofElements: elements(of: rows))
  }
}

/// The same bytes seen as another tensor. Nothing is copied.
extension TensorEntry {
  package func renamed(_ name: String) -> TensorEntry {
    TensorEntry(
      name: name, element: element, shape: shape, range: range, isTransposed: isTransposed, layout: layout,
      rotation: rotation, activations: activations, scale: scale)
  }

  /// Values that are multiplied by `scale` when they are read.
  package func scaled(by scale: Float) -> TensorEntry {
    TensorEntry(
      name: name, element: element, shape: shape, range: range, isTransposed: isTransposed, layout: layout,
      rotation: rotation, activations: activations, scale: scale)
  }

  /// Bytes that are the panels of a weight of this shape.
  func packed(_ shape: [Int], rotation: Int?, _ activations: ActivationBits) -> TensorEntry {
    TensorEntry(
      name: name, element: element, shape: shape, range: range, layout: .panels, rotation: rotation,
      activations: activations)
  }

  /// Part `index` of `count` equal parts of the rows; nil if they cannot be divided so, or would end inside a block.
  package func part(_ index: Int, of count: Int) -> TensorEntry? {
    guard !shape.isEmpty, !isTransposed, rows % count == 0, self.count / count % element.blockLength == 0
    else {
      return nil
    }
    let bytes = range.count / count
    let start = range.lowerBound + index * bytes
    return TensorEntry(
      name: name, element: element, shape: [rows / count] + shape.dropFirst(), range: start..<start + bytes,
      scale: scale)
  }

  /// A matrix with rows and columns exchanged; nil for anything else.
  package func transposed() -> TensorEntry? {
    guard shape.count == 2 else { return nil }
    return TensorEntry(
      name: name, element: element, shape: shape.reversed(), range: range, isTransposed: !isTransposed,
      scale: scale)
  }

  /// The weights of a 1×1 convolution `[N, K, 1, 1]` as those of a linear layer `[N, K]`; others as they are.
  package func flattened() -> TensorEntry {
    guard shape.count == 4, shape[2...] == [1, 1] else { return self }
    return TensorEntry(name: name, element: element, shape: [shape[0], shape[1]], range: range, scale: scale)
  }
}
