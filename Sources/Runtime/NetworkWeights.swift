import NeuralGraph
import Tensors
import WeightStorage

/// The weights that networks read from a checkpoint, each found and checked once: none can be missing, and none is of
/// another shape or kind than a network takes it for.
package struct NetworkWeights: Sendable {
  private let checkpoint: Checkpoint
  private var stored: [String: StoredWeight] = [:]

  /// - Parameter weights: of all the networks.
  /// - Throws: `WeightFileError`: `missingTensor`, `shapeMismatch`, `unsupportedElement`; `badContainer` for a weight
  ///   that would be computed from where it lies, and does not lie as the kernels read it.
  package init(_ weights: some Sequence<Weight>, in checkpoint: Checkpoint) throws(WeightFileError) {
    self.checkpoint = checkpoint
    for weight in weights where stored[weight.name] == nil {
      let found = try Self.find(weight, in: checkpoint)
      stored[found.tensor.name] = found  // the checkpoint's string: the graph's own would outlive its graph
    }
  }

  private static func find(
    _ weight: Weight, in checkpoint: Checkpoint
  ) throws(WeightFileError) -> StoredWeight {
    let stored = try checkpoint.weight(weight.name, shape: weight.shape)
    let (tensor, used) = (stored.tensor, weight.type(storedAs: stored.format.element))
    guard stored.address != nil,
      tensor.layout != used.layout || tensor.element != StoredElement(used.element)
        || used.element == .s8 && used.layout != .panels
    else { return stored }
    throw .badContainer(
      file: checkpoint.label,
      reason:
        "tensor \(weight.name) is \(tensor.element.rawValue)\(tensor.layout == .panels ? " panels" : "") "
        + "where the network reads \(StoredElement(used.element).rawValue)"
        + (used.layout == .panels ? " panels" : ""))
  }

  /// How errors name them.
  package var label: String { checkpoint.label }

  /// Number of the device that they are read from; nil where there are none.
  package var device: UInt64? { checkpoint.files.first?.stamp.device }

  /// Whether any is stored as bytes.
  package var hasBytes: Bool { stored.values.contains { $0.format.element == .s8 } }

  package subscript(_ weight: Weight) -> StoredWeight { self[weight.name] }

  /// - Precondition: one of the networks reads it.
  package subscript(_ name: String) -> StoredWeight {
    guard let known = stored[name] else { preconditionFailure("no network of \(label) reads \(name)") }
    return known
  }

  /// - Throws: `truncated`, `changed` if weights have been cut off or written over since their file was opened; what
  ///   was computed with them is void.
  func checkUnchanged() throws(WeightFileError) { try checkpoint.checkUnchanged() }
}
