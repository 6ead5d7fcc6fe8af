import Foundation
import Testing
import WeightStorage

@Suite("Hostile place") struct HostilePlaceTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func refusal(_ body: () throws -> Void) -> WeightFileError? {
    do { try body() } catch { return error as? WeightFileError }
    return nil
  }

  private func open(_ path: String) throws {
    let file = try openTensorFile(path: path, label: "f") as? SafetensorsFile
    if let file, ContainerFile.isContainer(file) { _ = try ContainerFile(file) }
  }

  @Test("a link that leads to itself is refused as file, as shard, as folder and as target")
  func linkLoops() throws {
    let loop = "\(folder.path)/loop.safetensors"
    try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: loop)
    #expect(refusal { _ = try SafetensorsFile(path: loop, label: "f") } == .file(.linkLoop(file: "f")))
    #expect(refusal { _ = try openTensorFile(path: loop, label: "f") } == .file(.linkLoop(file: "f")))
    #expect(refusal { _ = try DiffusersFolder(path: loop) } == .file(.linkLoop(file: loop)))
    let target = refusal { try SafetensorsWriter.write([:], to: loop) }
    #expect(target?.description.contains("symbolic links") == true)
    let index = try folder.add(
      "unet/diffusion_pytorch_model.safetensors.index.json",
      #"{"weight_map":{"weight":"loop.safetensors"}}"#)
    let shard = "\(folder.path)/unet/loop.safetensors"
    try FileManager.default.createSymbolicLink(atPath: shard, withDestinationPath: shard)
    #expect(refusal { _ = try Checkpoint(index: index) } == .file(.linkLoop(file: shard)))
  }

  /// 10 GB of which nothing but the start is on the disk.
  private func sparse(_ start: [UInt8]) throws -> String {
    let path = try folder.add("sparse", start)
    #expect(truncate(path, 10 << 30) == 0)
    return path
  }

  /// Bytes that the process has read of files.
  private func bytesRead() throws -> Int {
    let lines = try String(contentsOfFile: "/proc/self/io", encoding: .utf8).split(separator: "\n")
    let line = try #require(lines.first { $0.hasPrefix("rchar:") })
    return try #require(Int(line.drop { !$0.isNumber }))
  }

  static let starts: [(String, [UInt8])] = [
    ("nothing", []),
    ("a table of 10 GB", safetensors(header: "{", announcing: 10 << 30 - 8)),
    ("the longest table", safetensors(header: "{", announcing: 12_000_000)),
    (
      "one tensor less than it holds",
      safetensors(header: Corruption.table(Corruption.row("a", "U8", "[1073741824]", 0, 1 << 30)))
    ),
    (
      "a container whose scales are all of it",
      safetensors(
        header: padded(
          #"{"__metadata__":{"pentimento.format":"1"},"#
            + Corruption.row("unet.a.weight.scale", "F32", "[\((10 << 30 - 192) / 4)]", 0, 10 << 30 - 192)
            + "}"
        ))
    ),
    ("GGUF, no tables", gguf(tensors: 0, properties: 1, [])),
    ("GGUF, a table of tensors", gguf(tensors: 1 << 20, properties: 0, [])),
    ("GGUF, an array of bytes", gguf(tensors: 0, properties: 1, property(array: 0, count: 9 << 30))),
    ("GGUF, an array of numbers", gguf(tensors: 0, properties: 1, property(array: 10, count: 1 << 30))),
    ("GGUF, an array of texts", gguf(tensors: 0, properties: 1, property(array: 8, count: 1 << 30))),
    (
      "GGUF, a text",
      gguf(tensors: 0, properties: 1, [1, 0, 0, 0, 0, 0, 0, 0, 97, 8, 0, 0, 0] + words(UInt64(9 << 30)))
    ),
  ]

  /// So long that the data starts at 192.
  private static func padded(_ header: String) -> String {
    header + String(repeating: " ", count: 184 - header.utf8.count)
  }

  private static func words(_ value: UInt64) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private static func gguf(tensors: UInt64, properties: UInt64, _ rest: [UInt8]) -> [UInt8] {
    Array("GGUF".utf8) + [3, 0, 0, 0] + words(tensors) + words(properties) + rest
  }

  /// A property `a` that is an array.
  private static func property(array type: UInt8, count: Int) -> [UInt8] {
    words(1) + [97, 9, 0, 0, 0, type, 0, 0, 0] + words(UInt64(count))
  }

  @Test("a sparse file of 10 GB is refused, or opened, without being read", arguments: starts)
  func sparseFile(name: String, start: [UInt8]) throws {
    let path = try sparse(start)
    let before = try bytesRead()
    let clock = ContinuousClock.now
    let error = refusal { try open(path) }
    #expect((error == nil) == (name == "GGUF, no tables"), "\(String(describing: error))")
    #expect(error?.description.hasPrefix("f: ") != false)
    // The longest table that the format allows has 12 MB; other tests read beside this one.
    #expect(try bytesRead() - before < 1 << 30)
    #expect(ContinuousClock.now - clock < .seconds(10))
  }
}
