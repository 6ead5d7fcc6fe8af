import Files

/// A file of tensors, validated in full when it was opened, of which networks read weights.
package protocol TensorFile: AnyObject, Sendable {
  var reader: FileReader { get }
  /// Of the file when it was opened.
  var stamp: FileStamp { get }
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

  /// - Throws: `truncated`, `changed` if the file was written to since it was opened: what was computed from it is
  ///   neither of the old weights nor of the new ones.
  func checkUnchanged() throws(WeightFileError) {
    let now = try WeightFileError.ofFile { () throws(FileError) in
      try mapping?.check()
      return try FileStamp(of: reader)
    }
    guard now.size >= stamp.size else {
      throw .file(.truncated(file: reader.label, needs: Int(stamp.size), has: Int(now.size)))
    }
    guard now.hasContent(of: stamp) else { throw .changed(file: reader.label) }
  }
}

/// Opens a file as what its first bytes say it is: GGUF, else safetensors.
package func openTensorFile(path: String, label: String? = nil) throws(WeightFileError) -> any TensorFile {
  let isGGUF = try WeightFileError.ofFile { () throws(FileError) in
    let file = try FileReader(path: path, label: label)
    guard file.count >= 4 else { return false }
    return try file.bytes(0..<4) == Array("GGUF".utf8)
  }
  if isGGUF {
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
    guard let element = tensor.weight else { throw wrongElement(tensor, wanted: weightElements) }
    return try read(tensor).floats(element)
  }

  func wrongElement(_ tensor: TensorEntry, wanted: String) -> WeightFileError {
    .unsupportedElement(
      file: reader.label, tensor: tensor.name, dtype: tensor.element.rawValue, wanted: wanted)
  }
}

/// What the elements of weights are called in errors.
let weightElements = "F32, F16, BF16, F8_E4M3 or F8_E5M2"
