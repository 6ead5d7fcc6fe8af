import Foundation
import Tensors
import Testing
import WeightStorage

@Suite("Safetensors file") struct SafetensorsTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private let tensors: [String: StoredTensor] = [
    "conv.weight": StoredTensor(
      [1.5, -2, .greatestFiniteMagnitude, .leastNonzeroMagnitude, -0.0, 6] as [Float], shape: [2, 3]),
    "half": StoredTensor([0.1, 65504, -.leastNonzeroMagnitude] as [Float16], shape: [3]),
    "brain": StoredTensor(element: .bf16, shape: [2], bytes: [0x80, 0x3F, 0x49, 0xC0]),
    "ids": StoredTensor([1, -1, .max] as [Int64], shape: [1, 3]),
    "mask": StoredTensor([0, 255, 3] as [UInt8], shape: [3, 1]),
    "scalar": StoredTensor([4] as [Float], shape: []),
    "nothing": StoredTensor([] as [Float], shape: [0, 4]),
    "naïve \"名\"\n\\": StoredTensor([1] as [UInt8], shape: [1]),
  ]

  /// 640 = 0x0280, which is how a pickle begins.
  @Test("is no pickle for the length of its table")
  func pickleLength() throws {
    let row = #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
    let header = row + String(repeating: " ", count: 640 - row.utf8.count)
    let path = try folder.add("f", safetensors(header: header, dataBytes: 1))
    #expect(try SafetensorsFile(path: path).tensors.map(\.name) == ["a"])
  }

  @Test("gives back what was written, bit for bit")
  func roundTrip() throws {
    let path = folder.path + "/a.safetensors"
    let metadata = ["format": "pt", "note": "line\nbreak \"quoted\" \u{1} ü"]
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == metadata)
    #expect(Set(file.tensors.map(\.name)) == Set(tensors.keys))
    for (name, tensor) in tensors {
      let entry = try #require(file[name])
      #expect(entry.element == tensor.element && entry.shape == tensor.shape)
      #expect(try file.reader.bytes(entry.range) == tensor.bytes)
      #expect(entry.range.lowerBound % entry.element.byteCount == 0, "\(name) is aligned")
    }
  }

  @Test("has one digest in memory and on disk, over names, bytes and metadata") func digest() throws {
    let path = folder.path + "/a.safetensors"
    let metadata = ["a": "1", "b": "2"]
    let digest = SafetensorsWriter.digest(tensors, metadata: metadata)
    try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
    let file = try SafetensorsFile(path: path)
    let found = try SafetensorsWriter.digest(file.tensors.map(\.name).reversed(), metadata: file.metadata) {
      try file.bytes(of: file.tensor($0))
    }
    #expect(found == digest)
    var (renamed, changed) = (tensors, tensors)
    renamed["other"] = renamed.removeValue(forKey: "half")
    changed["mask"]!.bytes[1] ^= 1
    let others = [
      SafetensorsWriter.digest(renamed, metadata: metadata),
      SafetensorsWriter.digest(changed, metadata: metadata),
      SafetensorsWriter.digest(tensors, metadata: ["a": "1", "b": "3"]),
      SafetensorsWriter.digest(tensors, metadata: ["a": "1"]),
    ]
    #expect(Set(others + [digest]).count == 5)
  }

  @Test("reads floats exactly from every element a weight may have")
  func floats() throws {
    let file = try SafetensorsFile(path: folder.add("a.safetensors", tensors))
    #expect(try file.floats("conv.weight")[2...3] == [.greatestFiniteMagnitude, .leastNonzeroMagnitude])
    #expect(try file.floats("half", shape: [3]) == [Float(Float16(0.1)), 65504, -0x1p-24])
    #expect(try file.floats("brain") == [1, -3.140625])
    #expect(try file.hostTensor("scalar") == HostTensor(shape: [], values: [4]))
    #expect(try file.floats("nothing").isEmpty)
    #expect(try file.integers("ids") == [1, -1, .max])
    #expect(try file.bytes("mask") == [0, 255, 3])
  }

  @Test("is the same file whenever the tensors are the same, with data at a multiple of 8")
  func deterministic() throws {
    let paths = ["a", "b"].map { "\(folder.path)/\($0)" }
    for path in paths { try SafetensorsWriter.write(tensors, metadata: ["b": "1", "a": "2"], to: path) }
    #expect(FileManager.default.contentsEqual(atPath: paths[0], andPath: paths[1]))
    #expect(try SafetensorsFile(path: paths[0]).tensors[0].range.lowerBound % 8 == 0)
  }

  @Test("replaces an older file in one step and leaves nothing beside it")
  func replaces() throws {
    let path = try folder.add("a.safetensors", "old")
    try SafetensorsWriter.write(tensors, to: path)
    #expect(try SafetensorsFile(path: path).tensors.count == tensors.count)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.safetensors"])
  }

  @Test("that cannot be written is named and leaves nothing behind")
  func cannotWrite() throws {
    let path = folder.path + "/no/such/folder.safetensors"
    let missing = WeightFileError.file(.outputFolderMissing(file: path, folder: folder.path + "/no/such"))
    #expect(throws: missing) { try SafetensorsWriter.write(tensors, to: path) }
    try FileManager.default.createDirectory(
      atPath: folder.path + "/taken/x", withIntermediateDirectories: true)
    let taken = WeightFileError.file(.outputIsFolder(file: folder.path + "/taken"))
    #expect(throws: taken) { try SafetensorsWriter.write(tensors, to: folder.path + "/taken") }
    #expect(throws: WeightFileError.self) { try SafetensorsWriter.write(tensors, to: "/sys/a.safetensors") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["taken"])
  }

  @Test("may have no tensors, and spaces after its header")
  func smallest() throws {
    #expect(try SafetensorsFile(path: folder.add("a", safetensors(header: "{}"))).tensors.isEmpty)
    let padded = safetensors(
      header: #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}  "# + "\n ", dataBytes: 2)
    #expect(try SafetensorsFile(path: folder.add("b", padded)).bytes("a") == [7, 7])
  }

  @Test("is refused where the caller expects other tensors, shapes or elements")
  func expectations() throws {
    let path = try folder.add("a.safetensors", tensors)
    let file = try SafetensorsFile(path: path, label: "unet/a.safetensors")
    let name = "unet/a.safetensors"
    #expect(throws: WeightFileError.missingTensor(file: name, tensor: "conv.bias")) {
      try file.floats("conv.bias")
    }
    #expect(
      throws: WeightFileError.shapeMismatch(file: name, tensor: "half", expected: [1, 3], found: [3])
    ) { try file.floats("half", shape: [1, 3]) }
    #expect(
      throws: WeightFileError.unsupportedElement(
        file: name, tensor: "ids", dtype: "I64", wanted: "F32, F16, BF16, F8_E4M3 or F8_E5M2")
    ) { try file.floats("ids") }
    #expect(
      throws: WeightFileError.unsupportedElement(
        file: name, tensor: "half", dtype: "F16", wanted: "I64 or I32")
    ) { try file.integers("half") }
    #expect(
      throws: WeightFileError.unsupportedElement(file: name, tensor: "half", dtype: "F16", wanted: "U8")
    ) {
      try file.bytes("half")
    }
  }

  @Test("that shrinks while it is open gives an error, not a signal")
  func shrinks() throws {
    let path = try folder.add("a.safetensors", tensors)
    let file = try SafetensorsFile(path: path)
    let entry = try #require(file["ids"])
    #expect(truncate(path, off_t(entry.range.lowerBound + 3)) == 0)
    #expect(
      throws: WeightFileError.file(
        .truncated(file: path, needs: entry.range.upperBound, has: entry.range.lowerBound + 3))
    ) { try file.integers("ids") }
  }

  @Test("opens in a time and memory that do not depend on its size")
  func sparse() throws {
    // 1 TB that is all hole: reading any of it in full would end the test.
    let size = 1 << 40
    let header = safetensors(
      header: #"{"a":{"dtype":"I8","shape":[1048576,1048576],"data_offsets":[0,\#(size)]}}"#)
    let path = try folder.add("big", header)
    #expect(truncate(path, off_t(header.count + size)) == 0)
    let file = try SafetensorsFile(path: path)
    #expect(file["a"]?.rowCount == 1_048_576)
    #expect(try file.reader.bytes(file.reader.count - 4..<file.reader.count) == [0, 0, 0, 0])
  }
}
