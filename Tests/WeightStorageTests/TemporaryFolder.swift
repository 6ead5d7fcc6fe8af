import Foundation
import WeightStorage

/// A folder that lives as long as this object.
final class TemporaryFolder {
  let path = FileManager.default.temporaryDirectory.appending(path: "weights-\(UUID().uuidString)").path

  init() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a file in the folder, with this content; subfolders are made.
  @discardableResult func add(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    let url = URL(filePath: "\(path)/\(name)")
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    unlink(url.path)  // a new file is written at once, an old one is first flushed to the disk
    try Data(bytes).write(to: url)
    return url.path
  }

  @discardableResult func add(_ name: String, _ text: String) throws -> String { try add(name, text.utf8) }

  @discardableResult func add(_ name: String, _ tensors: [String: StoredTensor]) throws -> String {
    let path = try add(name, "")
    try SafetensorsWriter.write(tensors, to: path)
    return path
  }
}

/// Bytes of a safetensors file around any header.
func safetensors(header: String, dataBytes: Int = 0, announcing length: UInt64? = nil) -> [UInt8] {
  let text = Array(header.utf8)
  let length = length ?? UInt64(text.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + text
    + [UInt8](repeating: 7, count: dataBytes)
}
