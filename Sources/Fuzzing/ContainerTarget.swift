import Files
import FoundationEssentials
import Pentimento
import Tensors
import WeightStorage

/// Containers: a small one, and a whole model that is opened as one.
struct ContainerTarget: FuzzTarget {
  let seeds: [[[UInt8]]]
  let words = [
    "pentimento.format", "pentimento.shapes", "pentimento.rotations", "pentimento.activations",
    "unet.a.weight", "unet.a.weight.scale",
    "I8", "F16", "F32", "U8", "_pad.0", "unet/config.json",
  ]

  init(_ fixtures: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "fuzz-\(UInt64.random(in: 0 ... .max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let small = folder.appending(path: "small.safetensors")
    try Self.writeSmall(small.path)
    let whole = folder.appending(path: "whole.safetensors")
    let model = try Model(folder: URL(fileURLWithPath: "\(fixtures)/sd15/model"))
    _ = try model.quantize(to: whole, QuantizationRequest(precision: .int8, scales: .maxAbs), threads: 1)
    let files = try [small, whole].map { [try FileReader.contents(of: $0.path)] }
    // The small one is a hundred times faster to read.
    seeds = Array(repeating: files[0], count: 40) + [files[1]]
  }

  private static func writeSmall(_ path: String) throws {
    let writer = try ContainerWriter(
      path: path, names: ["unet.a.weight", "unet.b.weight", "unet.a.bias", "unet.a.weight.scale"],
      metadataBytes: 400)
    func add(_ name: String, _ element: StoredElement, _ shape: [Int]) throws {
      try writer.begin(name, element, shape)
      let bytes = [UInt8](repeating: 0, count: shape.reduce(element.byteCount, *))
      try bytes.withUnsafeBytes { try writer.append($0) }
      writer.endTensor()
    }
    try add("unet.a.weight", .i8, [2, 16 * 20])
    try add("unet.b.weight", .f16, [1, 72, 16])
    try add("unet.a.bias", .f32, [20])
    try add("unet.a.weight.scale", .f32, [20])
    try writer.finish(metadata: [
      ContainerFile.Table.shapes.rawValue: #"{"unet.a.weight":[20,16],"unet.b.weight":[4,8,3,3]}"#,
      ContainerFile.Table.rotations.rawValue: #"{"unet.a.weight":16}"#, "unet/config.json": "{}",
    ])
  }

  func mutated(_ part: [UInt8], other: [UInt8], _ mutator: inout Mutator) -> [UInt8] {
    mutatedTable(part, other: other, &mutator)
  }

  func read(_ parts: [[UInt8]], in folder: String) async throws {
    let path = "\(folder)/file.safetensors"
    try write(parts[0], to: path)
    let container = try ContainerFile(SafetensorsFile(path: path))
    for component in container.components {
      let weights = container.weights(of: component)
      for tensor in weights.tensors { try touch(tensor, weights) }
      try weights.checkUnchanged()
    }
    _ = try? container.verify()
    if parts[0].count > 1 << 16 { try await use(Model(at: URL(fileURLWithPath: path))) }
  }

  /// A picture in one step, small as it can be.
  private func use(_ model: Model) async throws {
    try model.assumeVerified()  // whoever means harm writes the hashes anew
    let side = model.sizeMultiple
    var request = EditRequest(.generate(steps: 1))
    request.size = .box(Extent(width: side, height: side))
    request.prompt = "a cat"
    _ = try await Editor(model: model, threads: 1).run(request)
  }

  /// The bytes that kernels would read of a tensor, from the first to the last.
  private func touch(_ tensor: TensorEntry, _ weights: Checkpoint) throws {
    let element = try weights.element(of: tensor.name)
    let bytes =
      tensor.layout == .panels
      ? TensorType.panels(of: tensor.shape, element).byteCount : tensor.count * element.byteCount
    guard bytes == tensor.range.count, let start = try weights.address(of: tensor.name) else {
      throw Broken("\(tensor.name) \(tensor.shape) has \(tensor.range.count) bytes, not \(bytes)")
    }
    guard UInt(bitPattern: start) % 64 == 0 else { throw Broken("\(tensor.name) is not aligned") }
    for i in stride(from: 0, to: bytes, by: 4096) { _ = start.load(fromByteOffset: i, as: UInt8.self) }
    if bytes > 0 { _ = start.load(fromByteOffset: bytes - 1, as: UInt8.self) }
  }
}
