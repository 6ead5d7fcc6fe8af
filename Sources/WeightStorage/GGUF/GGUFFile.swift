import Files

/// A GGUF file (version 2 or 3, little endian), validated in full when it is opened; only its tables are kept.
///
///     "GGUF", version u32, tensors u64, properties u64
///     property: key, type u32, value                          tensor: name, dimensions u32, sizes u64…, type u32, offset u64
///     padding, then the data, to which offsets are relative; multiples of `general.alignment` (32)
///
/// Format: the ggml project's `docs/gguf.md`.
package final class GGUFFile: TensorFile {
  package let reader: FileReader
  package let metadata: [String: GGUFValue]
  /// In the order of the data.
  package let tensors: [TensorEntry]
  package let stamp: FileStamp
  private let positions: [String: Int]

  /// Properties and tensors.
  private static let mostEntries = SafetensorsHeader.most

  package init(path: String, label: String? = nil) throws(WeightFileError) {
    reader = try WeightFileError.ofFile { () throws(FileError) in try FileReader(path: path, label: label) }
    stamp = try WeightFileError.ofFile { [reader] () throws(FileError) in try FileStamp(of: reader) }
    var cursor = GGUFCursor(reader)
    guard try cursor.bytes(4).elementsEqual("GGUF".utf8) else {
      throw .badHeader(file: reader.label, reason: "it does not begin with \"GGUF\"")
    }
    let version = try cursor.integer(UInt32.self)
    guard (2...3).contains(version) else {
      throw .badHeader(file: reader.label, reason: "it is GGUF of version \(version), 2 and 3 are known")
    }
    let tensorCount = try cursor.count(limit: Self.mostEntries, of: "tensors")
    let propertyCount = try cursor.count(limit: Self.mostEntries, of: "properties")

    var metadata: [String: GGUFValue] = [:]
    for _ in 0..<propertyCount {
      let key = try cursor.name()
      let value = try cursor.value(ofType: cursor.integer(UInt32.self))
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw .duplicateKey(file: reader.label, key: key)
      }
    }
    var rows: [Row] = []
    for _ in 0..<tensorCount { rows.append(try Row(&cursor)) }

    var alignment = 32
    if case .integer(let given)? = metadata["general.alignment"] { alignment = given }
    guard (1...1 << 20).contains(alignment), alignment & (alignment - 1) == 0 else {
      throw .badHeader(file: reader.label, reason: "its alignment is \(alignment)")
    }
    let dataStart = (cursor.position + alignment - 1) / alignment * alignment
    var tensors: [TensorEntry] = []
    for row in rows {
      tensors.append(try row.tensor(dataStart: dataStart, alignment: alignment, metadata, reader))
    }
    tensors.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    for (tensor, next) in zip(tensors, tensors.dropFirst())
    where next.range.lowerBound < tensor.range.upperBound {
      throw .overlap(file: reader.label, tensor: next.name, other: tensor.name)
    }
    var positions: [String: Int] = [:]
    for (i, tensor) in tensors.enumerated() {
      guard positions.updateValue(i, forKey: tensor.name) == nil else {
        throw .duplicateKey(file: reader.label, key: tensor.name)
      }
    }
    (self.metadata, self.tensors, self.positions) = (metadata, tensors, positions)
  }

  package subscript(name: String) -> TensorEntry? { positions[name].map { tensors[$0] } }

  /// The properties that are texts.
  package var texts: [String: String] {
    metadata.compactMapValues { if case .string(let text) = $0 { text } else { nil } }
  }
}

/// A row of the tensor table before anything is known to be true.
private struct Row {
  var name: String
  /// Innermost dimension first, as stored.
  var sizes: [UInt64] = []
  var type: UInt32
  var offset: UInt64

  init(_ cursor: inout GGUFCursor) throws(WeightFileError) {
    name = try cursor.name()
    let dimensions = try cursor.integer(UInt32.self)
    guard dimensions <= 8 else { throw cursor.damaged("tensor \(name) has \(dimensions) dimensions") }
    for _ in 0..<dimensions { sizes.append(try cursor.integer(UInt64.self)) }
    type = try cursor.integer(UInt32.self)
    offset = try cursor.integer(UInt64.self)
  }

  func tensor(
    dataStart: Int, alignment: Int, _ metadata: [String: GGUFValue], _ file: FileReader
  ) throws(WeightFileError) -> TensorEntry {
    guard let element = StoredElement(ggmlType: type) else {
      throw .unknownElement(file: file.label, tensor: name, dtype: "GGUF type \(type)")
    }
    let written = sizes.reversed().map { Int(clamping: $0) }
    guard let count = elementCount(written) else {
      throw .sizeOverflow(file: file.label, tensor: name, shape: written)
    }
    let row = Int(clamping: sizes.first ?? 1)
    guard row % element.blockLength == 0 else {
      throw .badHeader(
        file: file.label,
        reason: "rows of \(row) elements of tensor \(name) are no whole blocks of \(element.rawValue)")
    }
    let bytes = count / element.blockLength * element.blockBytes
    let begin = Int(clamping: offset)
    guard begin % alignment == 0, begin <= Int.max - dataStart - bytes else {
      throw .badOffsets(file: file.label, tensor: name, begin: begin, end: begin)
    }
    let range = dataStart + begin..<dataStart + begin + bytes
    guard range.upperBound <= file.count else {
      throw .file(.truncated(file: file.label, needs: range.upperBound, has: file.count))
    }
    return TensorEntry(
      name: name, element: element, shape: try shape(written, count, metadata, file),
      range: range)
  }

  /// Tensors that were flattened to whole blocks have their shape in a property.
  private func shape(
    _ written: [Int], _ count: Int, _ metadata: [String: GGUFValue], _ file: FileReader
  ) throws(WeightFileError) -> [Int] {
    let key = "comfy.gguf.orig_shape.\(name)"
    guard let value = metadata[key] else { return written }
    guard case .integers(let original) = value, elementCount(original) == count
    else {
      throw .badHeader(file: file.label, reason: "\(key) does not fit the \(count) elements of the tensor")
    }
    return original
  }
}

/// Elements of a tensor; nil if one of its sizes is not positive, or their bytes could not be counted.
private func elementCount(_ shape: [Int]) -> Int? {
  var count = 1
  for size in shape {
    let (product, overflow) = count.multipliedReportingOverflow(by: size)
    guard size > 0, !overflow, product <= Int.max / 8 else { return nil }
    count = product
  }
  return count
}
