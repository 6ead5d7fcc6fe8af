/// A file of tensors, validated in full when it was opened, of which networks read weights.
package protocol TensorFile: AnyObject, Sendable {
  var reader: FileReader { get }
  /// What the file says of itself.
  var texts: [String: String] { get }
  /// In the order of the data.
  var tensors: [TensorEntry] { get }
  subscript(name: String) -> TensorEntry? { get }
  /// The file in memory, if its weights are used where they lie.
  var mapping: FileMapping? { get }
}

extension TensorFile {
  package var mapping: FileMapping? { nil }
}

/// Opens a file as what its first bytes say it is: GGUF, else safetensors.
package func openTensorFile(path: String, label: String? = nil) throws(WeightFileError) -> any TensorFile {
  let start = try FileReader(path: path, label: label)
  if start.count >= 4, try start.bytes(0..<4) == Array("GGUF".utf8) {
    return try GGUFFile(path: path, label: label)
  }
  return try SafetensorsFile(path: path, label: label)
}

extension TensorFile {
  /// - Parameter shape: what the caller expects; nil accepts any.
  /// - Throws: `missingTensor`, `shapeMismatch`.
  package func tensor(_ name: String, shape: [Int]? = nil) throws(WeightFileError) -> TensorEntry {
    guard let tensor = self[name] else { throw .missingTensor(file: reader.label, tensor: name) }
    if let shape, shape != tensor.shape {
      throw .shapeMismatch(file: reader.label, tensor: name, expected: shape, found: tensor.shape)
    }
    return tensor
  }

  /// Values of a tensor of weights, exactly.
  package func floats(_ name: String, shape: [Int]? = nil) throws(WeightFileError) -> [Float] {
    let tensor = try tensor(name, shape: shape)
    guard let element = tensor.element.weight else { throw wrongElement(tensor, wanted: weightElements) }
    return try read(tensor).floats(element)
  }

  func wrongElement(_ tensor: TensorEntry, wanted: String) -> WeightFileError {
    .unsupportedElement(
      file: reader.label, tensor: tensor.name, dtype: tensor.element.rawValue, wanted: wanted)
  }
}

/// What the elements of weights are called in errors.
let weightElements = "F32, F16, BF16, F8_E4M3 or F8_E5M2"
