import Foundation
import Tensors
import Testing
import WeightStorage

@Suite("Checkpoint") struct CheckpointTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func values(_ value: Float, _ shape: [Int] = [2]) -> StoredTensor {
    StoredTensor([Float](repeating: value, count: shape.reduce(1, *)), shape: shape)
  }

  @Test(
    "is found under each name a component's weights may have",
    arguments: [
      "diffusion_pytorch_model.safetensors", "model.safetensors", "diffusion_pytorch_model.fp16.safetensors",
      "model.fp16.safetensors",
    ])
  func names(name: String) throws {
    try folder.add("unet/\(name)", ["w": values(1)])
    let checkpoint = try Checkpoint(folder: "\(folder.path)/unet", label: "unet")
    #expect(checkpoint.label == "unet/\(name)")
    #expect(checkpoint.names == ["w"])
    #expect(try checkpoint.floats("w") == [1, 1])
  }

  @Test("is the one in full precision where a folder holds both, whatever else lies there")
  func preference() throws {
    try folder.add("model.fp16.safetensors", ["w": values(16)])
    try folder.add("model.safetensors", ["w": values(32)])
    try folder.add("model.non_ema.safetensors", ["w": values(0)])
    try folder.add("model.bin", "PK")
    #expect(try Checkpoint(folder: folder.path).floats("w") == [32, 32])
  }

  @Test(
    "joins shards through each spelling of their index",
    arguments: [
      "model.safetensors.index.json", "diffusion_pytorch_model.safetensors.index.json",
      "model.safetensors.index.fp16.json", "diffusion_pytorch_model.safetensors.fp16.index.json",
      "model.fp16.safetensors.index.json",
    ])
  func shards(name: String) throws {
    try folder.add("s-1.safetensors", ["a": values(1), "extra": values(9)])
    try folder.add("s-2.safetensors", ["b.weight": values(2), "c": values(3, [])])
    try folder.add(
      name,
      #"{"metadata":{"total_size":24},"weight_map":{"a":"s-1.safetensors","b.weight":"s-2.safetensors","c":"s-2.safetensors"}}"#
    )
    let checkpoint = try Checkpoint(folder: folder.path)
    #expect(checkpoint.names == ["a", "b.weight", "c"])
    #expect(
      try checkpoint.floats("a") + checkpoint.floats("b.weight") + checkpoint.floats("c") == [1, 1, 2, 2, 3])
    #expect(!checkpoint.contains("extra"))
  }

  @Test("is refused when its index and its shards disagree")
  func badShards() throws {
    let index = "\(folder.path)/model.safetensors.index.json"
    func open(_ map: String) throws -> Checkpoint {
      try folder.add("model.safetensors.index.json", #"{"weight_map": \#(map)}"#)
      return try Checkpoint(folder: folder.path)
    }
    try folder.add("s.safetensors", ["a": values(1)])
    #expect(throws: WeightFileError.missingTensor(file: "\(folder.path)/s.safetensors", tensor: "b")) {
      try open(#"{"a": "s.safetensors", "b": "s.safetensors"}"#)
    }
    #expect(throws: WeightFileError.file(.missing(file: "\(folder.path)/t.safetensors"))) {
      try open(#"{"a": "s.safetensors", "b": "t.safetensors"}"#)
    }
    #expect(throws: WeightFileError.badShardIndex(file: index, reason: "it names no tensor")) {
      try open("{}")
    }
    for shard in ["../s.safetensors", "/etc/passwd", "s.bin", ""] {
      #expect(
        throws: WeightFileError.badShardIndex(file: index, reason: "tensor a is said to be in \"\(shard)\"")
      ) {
        try open(#"{"a": "\#(shard)"}"#)
      }
    }
    #expect(
      throws: WeightFileError.configuration(
        .wrongValue(file: index, key: "weight_map.a", expected: "string", found: "integer 1"))
    ) { try open(#"{"a": 1}"#) }
  }

  @Test(
    "is found in a variant's file where there is no other, the training's own weights last",
    arguments: ["bf16", "fp16", "fp32", "non_ema"])
  func variants(variant: String) throws {
    try folder.add("diffusion_pytorch_model.\(variant).safetensors", ["w": values(2, [1])])
    #expect(try Checkpoint(folder: folder.path).floats("w") == [2])
    try folder.add("diffusion_pytorch_model.non_ema.safetensors", ["w": values(3, [1])])
    try folder.add("diffusion_pytorch_model.fp16.safetensors", ["w": values(4, [1])])
    #expect(try Checkpoint(folder: folder.path).floats("w") == [4])
    try folder.add("diffusion_pytorch_model.safetensors", ["w": values(5, [1])])
    #expect(try Checkpoint(folder: folder.path).floats("w") == [5])
  }

  @Test("is refused with a way out where there are only pickles")
  func pickles() throws {
    try folder.add("diffusion_pytorch_model.bin", "PK")
    #expect(throws: WeightFileError.pickle(file: "unet/diffusion_pytorch_model.bin")) {
      try Checkpoint(folder: folder.path, label: "unet")
    }
    #expect(WeightFileError.pickle(file: "f").description.contains("safe_serialization=True"))
  }

  @Test("is refused where there is nothing, or no folder")
  func nothing() throws {
    #expect(throws: WeightFileError.missingWeights(folder: "unet")) {
      try Checkpoint(folder: folder.path, label: "unet")
    }
    #expect(throws: WeightFileError.missingWeights(folder: "/no/such")) { try Checkpoint(folder: "/no/such") }
    #expect(throws: WeightFileError.file(.notARegularFile(file: folder.path))) {
      try Checkpoint(file: folder.path)
    }
    #expect(throws: WeightFileError.file(.missing(file: "/no/such"))) { try Checkpoint(file: "/no/such") }
  }

  @Test("does not wait for the writer of a pipe")
  func pipe() throws {
    let path = folder.path + "/pipe"
    #expect(mkfifo(path, 0o600) == 0)
    #expect(throws: WeightFileError.file(.notARegularFile(file: path))) { try Checkpoint(file: path) }
  }

  @Test("refuses elements that are no weights when asked for one")
  func elements() throws {
    let path = try folder.add(
      "f",
      [
        "f32": values(1), "f16": StoredTensor([1] as [Float16], shape: [1]),
        "bf16": StoredTensor(element: .bf16, shape: [1], bytes: [0, 0]),
        "ids": StoredTensor([1] as [Int64], shape: [1]),
        "f64": StoredTensor(element: .f64, shape: [1], bytes: [0, 0, 0, 0, 0, 0, 0xF8, 0xBF]),
        "f8": StoredTensor(element: .f8e4m3, shape: [3], bytes: [1, 2, 3]),
      ])
    let checkpoint = try Checkpoint(file: path)
    let elements = try ["f32", "f16", "bf16", "f8", "f64"].map { try checkpoint.element(of: $0) }
    #expect(elements == [.f32, .f16, .bf16, .f16, .f32])
    #expect(try checkpoint.floats("f64") == [-1.5])
    #expect(
      throws: WeightFileError.unsupportedElement(
        file: path, tensor: "ids", dtype: "I64", wanted: "F32, F16, BF16, F8_E4M3 or F8_E5M2")
    ) { try checkpoint.element(of: "ids") }
    #expect(throws: WeightFileError.missingTensor(file: path, tensor: "x")) { try checkpoint.shape(of: "x") }
  }
}

@Suite("Rows of a checkpoint") struct CheckpointRowsTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test("arrive in the caller's window, whatever rows are asked for")
  func rows() throws {
    let values = (0..<7 * 3 * 5).map(Float.init)
    let checkpoint = try Checkpoint(
      file: folder.add(
        "f", ["pad": StoredTensor([1] as [UInt8], shape: [1]), "w": StoredTensor(values, shape: [7, 3, 5])]))
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 7 * 60, alignment: 64)
    defer { window.deallocate() }
    for rows in [0..<7, 0..<1, 6..<7, 2..<5, 3..<3] {
      let got = try checkpoint.withRows(of: "w", rows: rows, window: window) {
        #expect($0.baseAddress == UnsafeRawPointer(window.baseAddress))
        return Array($0.bindMemory(to: Float.self))
      }
      #expect(got == Array(values[rows.lowerBound * 15..<rows.upperBound * 15]))
    }
  }

  @Test("are one where a tensor has no dimensions, none where its first is zero")
  func degenerate() throws {
    let checkpoint = try Checkpoint(
      file: folder.add(
        "f", ["s": StoredTensor([3] as [Float], shape: []), "e": StoredTensor([] as [Float], shape: [0, 4])]))
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 4)
    defer { window.deallocate() }
    #expect(try checkpoint.withRows(of: "s", rows: 0..<1, window: window) { $0.load(as: Float.self) } == 3)
    #expect(try checkpoint.withRows(of: "e", rows: 0..<0, window: window) { $0.count } == 0)
  }

  @Test("leave no page in the cache once dropped")
  func dropped() throws {
    // 64 tensors of an odd size, so that nearly all share their first and last page with a neighbour.
    var tensors: [String: StoredTensor] = [:]
    for i in 0..<64 {
      tensors["t\(i)"] = StoredTensor([UInt8](repeating: 1, count: 50_001), shape: [3, 16667])
    }
    let path = try folder.add("f", tensors)
    let checkpoint = try Checkpoint(file: path)
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 50_001, alignment: 64)
    defer { window.deallocate() }
    for name in checkpoint.names {
      try checkpoint.withRows(of: name, rows: 0..<3, window: window) { _ in }
    }
    #expect(try cachedBytes(of: path) > 700 * 4096)

    for name in checkpoint.names { try checkpoint.dropCache(of: name) }
    // A file system in memory is its own cache and keeps them.
    let left = try cachedBytes(of: path)
    let isInMemory = left >= checkpoint.files[0].reader.count
    #expect(left <= Self.page || isInMemory, "the header's page alone may stay, \(left) bytes did")
  }

  @Test("are in the cache soon after they were asked for ahead")
  func prefetched() throws {
    let path = try folder.add(
      "f", ["w": StoredTensor([UInt8](repeating: 1, count: 4 << 20), shape: [4, 1 << 20])])
    let checkpoint = try Checkpoint(file: path)
    try checkpoint.dropCache(of: "w")
    try checkpoint.prefetch("w")
    var cached = 0
    for _ in 0..<200 where cached < 4 << 20 {
      usleep(10_000)
      cached = try cachedBytes(of: path)
    }
    #expect(cached >= 4 << 20)
  }

  @Test("never fill the cache beyond the block in use, however far the system likes to read ahead")
  func blocks() throws {
    let path = try folder.add(
      "f", ["w": StoredTensor([UInt8](repeating: 1, count: 16 << 20), shape: [1 << 14, 1 << 10])])
    let checkpoint = try Checkpoint(file: path)
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { window.deallocate() }
    try checkpoint.dropCache(of: "w")
    let isInMemory = try cachedBytes(of: path) > 8 << 20
    for first in stride(from: 0, to: 1 << 14, by: 1 << 10) {
      let block = first..<first + 1 << 10
      try checkpoint.withRows(of: "w", rows: block, window: window) { _ in }
      // 1 MiB of rows, and the pages they share with what lies before and behind them.
      #expect(try cachedBytes(of: path) <= (1 << 20) + 2 * Self.page || isInMemory)
      try checkpoint.dropCache(of: "w", rows: block)
    }
    #expect(try cachedBytes(of: path) <= Self.page || isInMemory)
  }

  private static let page = Int(sysconf(Int32(_SC_PAGESIZE)))

  /// Bytes of the file that the system holds, in whole pages. Counted through a mapping that touches none of them.
  private func cachedBytes(of path: String) throws -> Int {
    let file = open(path, O_RDONLY)
    defer { close(file) }
    let count = Int(lseek(file, 0, SEEK_END))
    let mapping = try #require(mmap(nil, count, PROT_READ, MAP_SHARED, file, 0))
    defer { munmap(mapping, count) }
    var resident = [UInt8](repeating: 0, count: (count + Self.page - 1) / Self.page)
    #expect(mincore(mapping, count, &resident) == 0)
    return resident.count { $0 & 1 == 1 } * Self.page
  }
}
