import Files

/// A tensor to be written: its bytes are little endian, in row-major order of `shape`.
package struct StoredTensor: Sendable, Equatable {
  package var element: StoredElement
  package var shape: [Int]
  package var bytes: [UInt8]

  package init(element: StoredElement, shape: [Int], bytes: [UInt8]) {
    precondition(
      shape.reduce(element.byteCount, *) == bytes.count, "\(bytes.count) bytes for \(element) \(shape)")
    self.element = element
    self.shape = shape
    self.bytes = bytes
  }

  package init(_ values: [Float], shape: [Int]) {
    self.init(element: .f32, shape: shape, bytes: littleEndian(values.map(\.bitPattern)))
  }

  package init(_ values: [Float16], shape: [Int]) {
    self.init(element: .f16, shape: shape, bytes: littleEndian(values.map(\.bitPattern)))
  }

  package init(_ values: [Int64], shape: [Int]) {
    self.init(element: .i64, shape: shape, bytes: littleEndian(values))
  }

  package init(_ values: [UInt8], shape: [Int]) {
    self.init(element: .u8, shape: shape, bytes: values)
  }
}

func littleEndian<Word: FixedWidthInteger>(_ words: [Word]) -> [UInt8] {
  words.map(\.littleEndian).withUnsafeBytes { Array($0) }
}

/// Writes safetensors files: wide elements first, then by name, so that equal tensors make equal files and every
/// tensor is aligned to its element.
package enum SafetensorsWriter {
  /// Writes to a file beside `path` and puts it in place when all of it is on disk: whoever opens `path` sees the
  /// old file or the new one.
  package static func write(
    _ tensors: [String: StoredTensor], metadata: [String: String] = [:], to path: String
  ) throws(WeightFileError) {
    try WeightFileError.ofFile { () throws(FileError) in
      let file = try PartialFile(path: path)
      try write(tensors, metadata: metadata, into: file)
      try file.commit()
    }
  }

  /// Writes into a file that the caller puts in place, with others perhaps.
  package static func write(
    _ tensors: [String: StoredTensor], metadata: [String: String] = [:], into file: PartialFile
  ) throws(FileError) {
    let order = tensors.sorted { a, b in
      (b.value.element.byteCount, a.key) < (a.value.element.byteCount, b.key)
    }
    try file.write(header(order.map { ($0.key, $0.value) }, metadata))
    for (_, tensor) in order { try file.write(tensor.bytes) }
  }

  /// SHA-256 over metadata and tensors, each sorted by name.
  package static func digest(_ tensors: [String: StoredTensor], metadata: [String: String]) -> String {
    digest(Array(tensors.keys), metadata: metadata) { tensors[$0]!.bytes }
  }

  /// The same of a file, one tensor at a time.
  ///
  /// - Throws: what `bytes` throws.
  package static func digest(
    _ tensors: [String], metadata: [String: String], bytes: (String) throws -> [UInt8]
  ) rethrows -> String {
    var hash = SHA256()
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      hash.update(key)
      hash.update(value)
    }
    for name in tensors.sorted() {
      hash.update(name)
      hash.update(try bytes(name))
    }
    return hash.finalize()
  }

  /// Length and JSON text, padded with spaces so that the data starts at a multiple of 8.
  private static func header(_ tensors: [(String, StoredTensor)], _ metadata: [String: String]) -> [UInt8] {
    var text = SafetensorsTable(metadata)
    var offset = 0
    for (name, tensor) in tensors {
      text.add(name, tensor.element, tensor.shape, offset..<offset + tensor.bytes.count)
      offset += tensor.bytes.count
    }
    return text.header(alignedTo: 8)
  }
}
