import Foundation
import WeightStorage

/// A safetensors file in the layout of the first publication, put together as a list of
/// `Tests/Fixtures/SingleFile` says (`Tools/fixtures/single_file.py` writes them). Removed with this object.
package final class SingleFile {
  package let path = FileManager.default.temporaryDirectory.appending(
    path: "\(UUID().uuidString).safetensors"
  ).path

  package init(_ tensors: [String: StoredTensor], metadata: [String: String] = [:]) throws {
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
  }

  /// A file of zeros, of which only the table takes room on the disk.
  package init(sparse shapes: [(name: String, shape: [Int])], metadata: [String: String] = [:]) throws {
    var offset = 0
    var rows = [#""__metadata__":{\#(metadata.map { #""\#($0)":"\#($1)""# }.joined(separator: ","))}"#]
    for (name, shape) in shapes {
      let end = offset + shape.reduce(2, *)
      rows.append(#""\#(name)":{"dtype":"F16","shape":\#(shape),"data_offsets":[\#(offset),\#(end)]}"#)
      offset = end
    }
    let header = Data("{\(rows.joined(separator: ","))}".utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> ($0 * 8)) }
    try (Data(length) + header).write(to: URL(fileURLWithPath: path))
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.truncate(atOffset: UInt64(8 + header.count + offset))
    try handle.close()
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  // MARK: Lists

  package static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../../Tests/Fixtures").standardizedFileURL

  /// The diffusers folder of a fixture.
  package static func folder(_ fixture: String) throws -> DiffusersFolder {
    try DiffusersFolder(path: folderURL(fixture).path)
  }

  package static func folderURL(_ fixture: String) -> URL { fixtures.appending(path: "\(fixture)/model") }

  /// Names and shapes of a published model's file: `sd15`, `sd21` or `sdxl`.
  package static func published(_ family: String) throws -> [(name: String, shape: [Int])] {
    try list("\(family)-published").map { name, shape in (name, shape.split(separator: ",").map { Int($0)! })
    }
  }

  /// The tensors of a fixture as its single file has them.
  package static func tensors(_ fixture: String) throws -> [String: StoredTensor] {
    let folder = try folder(fixture)
    var components: [String: Checkpoint] = [:]
    func stored(_ source: Substring) throws -> StoredTensor {
      let parts = source.split(separator: "/").map(String.init)
      let weights = try components[parts[0]] ?? folder.weights(of: parts[0])
      components[parts[0]] = weights
      let entry = try weights.tensor(parts[1])
      let bytes = try weights.files[0].reader.bytes(entry.range)
      return StoredTensor(element: entry.element, shape: entry.shape, bytes: bytes)
    }
    var tensors: [String: StoredTensor] = [:]
    for (name, made) in try list(fixture) {
      let words = made.split(separator: " ")
      if words[0] == "zeros" {
        let shape = words.dropFirst().first?.split(separator: ",").map { Int($0)! } ?? []
        tensors[name] = StoredTensor([Float](repeating: 0, count: shape.reduce(1, *)), shape: shape)
        continue
      }
      let parts = try words.dropFirst().map(stored)
      var tensor = parts[0]
      switch words[0] {
      case "conv": tensor.shape += [1, 1]
      case "transposed":
        let (n, k) = (tensor.shape[0], tensor.shape[1])
        tensor.bytes = (0..<n * k).flatMap { (i: Int) -> ArraySlice<UInt8> in
          let start = (i % n * k + i / n) * 4
          return parts[0].bytes[start..<start + 4]
        }
        tensor.shape = [k, n]
      case "stacked":
        tensor.bytes = parts.flatMap(\.bytes)
        tensor.shape[0] *= parts.count
      default: precondition(words[0] == "same", made)
      }
      tensors[name] = tensor
    }
    return tensors
  }

  private static func list(_ name: String) throws -> [(String, String)] {
    let text = try String(contentsOf: fixtures.appending(path: "SingleFile/\(name).txt"), encoding: .utf8)
    return text.split(separator: "\n").map { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      return (String(fields[0]), String(fields[1]))
    }
  }
}
