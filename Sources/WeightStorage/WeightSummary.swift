/// What a weight file or a component's folder holds, for people who want to look before they use it.
package struct WeightSummary: Sendable, Equatable {
  /// The file, or the index of the shards.
  package let label: String
  /// Files that hold data.
  package let files: [String]
  package let metadata: [String: String]
  /// In the order of the files and of the data in them.
  package let tensors: [TensorEntry]

  /// - Parameter path: a safetensors file, the index of shards or the folder of a component.
  package init(of path: String) throws(WeightFileError) {
    let checkpoint =
      if FileReader.isFolder(path) {
        try Checkpoint(folder: path)
      } else if path.hasSuffix(".json") {
        try Checkpoint(index: path)
      } else {
        try Checkpoint(file: path)
      }
    self.init(of: checkpoint)
  }

  package init(of checkpoint: Checkpoint) {
    label = checkpoint.label
    files = checkpoint.files.map(\.reader.label)
    metadata = checkpoint.files.reduce(into: [:]) { $0.merge($1.texts) { first, _ in first } }
    tensors = checkpoint.files.flatMap(\.tensors)
  }

  /// Numbers in all tensors.
  package var elementCount: Int { tensors.reduce(0) { $0 + $1.count } }

  package var byteCount: Int { tensors.reduce(0) { $0 + $1.range.count } }

  /// Bytes of the tensors of each element type that occurs, most bytes first.
  package var bytesByElement: [(element: StoredElement, bytes: Int)] {
    var bytes: [StoredElement: Int] = [:]
    for tensor in tensors { bytes[tensor.element, default: 0] += tensor.range.count }
    return bytes.map { ($0.key, $0.value) }.sorted { ($1.1, $0.0.rawValue) < ($0.1, $1.0.rawValue) }
  }
}
