import Foundation
import WeightStorage

/// A fixture's model in half precision, in every layout that models come in. Removed with this object.
package final class HalfModel {
  private let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  private let fixture: String
  /// The tensors with the names of the first publication.
  private lazy var tensors = Result { try SingleFile.tensors(fixture).mapValues(\.halved) }

  package init(_ fixture: String) throws {
    self.fixture = fixture
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  /// The diffusers folder.
  package func folder() throws -> URL {
    let (source, folder) = (SingleFile.folderURL(fixture), root.appending(path: "folder"))
    try FileManager.default.copyItem(at: source, to: folder)
    let model = try DiffusersFolder(path: source.path)
    for component in model.components
    where FileManager.default.fileExists(atPath: "\(source.path)/\(component)") {
      guard let weights = try? model.weights(of: component) else { continue }  // a tokenizer has none
      let file = weights.files[0]
      let tensors = file.tensors.map { entry in
        (entry.name, StoredTensor(try! file.floats(entry.name), shape: entry.shape).halved)
      }
      let name = URL(fileURLWithPath: file.reader.path).lastPathComponent
      try SafetensorsWriter.write(
        Dictionary(uniqueKeysWithValues: tensors),
        to: folder.appending(path: "\(component)/\(name)").path)
    }
    return folder
  }

  /// One safetensors file with the names of the first publication.
  package func safetensors() throws -> URL {
    let file = root.appending(path: "model.safetensors")
    try SafetensorsWriter.write(tensors.get(), to: file.path)
    return file
  }

  package enum Layout: String, CaseIterable, Sendable {
    /// A pipeline, as stable-diffusion.cpp writes it.
    case whole
    /// The noise network alone, as ComfyUI-GGUF writes it.
    case unet
  }

  /// A GGUF file: the tables that the public `gguf` package wrote (`Tools/fixtures/make_model_gguf.py`), and behind
  /// them the weights.
  package func gguf(_ layout: Layout) throws -> URL {
    let file = root.appending(path: "\(layout.rawValue).gguf")
    try FileManager.default.copyItem(
      at: SingleFile.fixtures.appending(path: "GGUF/\(fixture)-\(layout.rawValue).head"), to: file)
    let handle = try FileHandle(forWritingTo: file)
    try handle.truncate(atOffset: 1 << 26)  // room for all; only what is written takes any
    for entry in try GGUFFile(path: file.path).tensors {
      let name = layout == .unet ? "model.diffusion_model.\(entry.name)" : entry.name
      let tensor = try tensors.get()[name]!
      precondition(tensor.shape == entry.shape && tensor.bytes.count == entry.range.count, name)
      try handle.seek(toOffset: UInt64(entry.range.lowerBound))
      try handle.write(contentsOf: tensor.bytes)
    }
    try handle.close()
    return file
  }
}

extension StoredTensor {
  /// 32-bit values rounded to 16.
  package var halved: StoredTensor {
    precondition(element == .f32)
    let values = bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { Float16(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
    }
    return StoredTensor(values, shape: shape)
  }
}
