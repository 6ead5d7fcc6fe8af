import FoundationEssentials
import WeightStorage

/// A container, opened like the diffusers folder that it was made from.
package struct ContainerModel: ModelFiles {
  package let path: String
  package let container: ContainerFile

  /// Nil if the file at `path` is no container.
  package init?(at path: String) throws(WeightFileError) {
    guard let file = try openTensorFile(path: path) as? SafetensorsFile, ContainerFile.isContainer(file)
    else {
      return nil
    }
    self.path = path
    container = try ContainerFile(file)
  }

  package var mayOmitVocabulary: Bool { true }

  package func has(_ component: String) -> Bool {
    container.file.metadata.keys.contains { $0.hasPrefix("\(component)/") }
  }

  package func contains(_ name: String) -> Bool { container.file.metadata[name] != nil }

  package func label(_ name: String) -> String { "\(path) (\(name))" }

  package func data(_ name: String) throws(WeightFileError) -> Data {
    guard let text = container.file.metadata[name] else { throw .file(.missing(file: label(name))) }
    return Data(text.utf8)
  }

  package func weights(of component: String) -> Checkpoint { container.weights(of: component) }
}
