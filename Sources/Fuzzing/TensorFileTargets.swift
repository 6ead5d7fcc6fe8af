import Files
import FoundationEssentials
import Packing
import WeightStorage

/// Reads every tensor of a file that was accepted, in whole and, of what networks can read, as numbers.
private func readAll(_ file: any TensorFile) throws {
  for tensor in file.tensors {
    guard tensor.range.upperBound <= file.reader.count else { throw Broken("\(tensor.name) leaves the file") }
    _ = try file.reader.bytes(tensor.range)
    guard tensor.element.weight != nil, tensor.element != .i8 else { continue }
    let count = try file.floats(tensor.name).count
    guard count == tensor.shape.reduce(1, *) else { throw Broken("\(tensor.name): \(count) values") }
  }
}

/// Changes the table at the start of a safetensors file, mostly: its length is written again, and the data behind it
/// starts at a multiple of 64 as it did before.
func mutatedTable(_ file: [UInt8], other: [UInt8], _ mutator: inout Mutator) -> [UInt8] {
  func dataStart(_ file: [UInt8]) -> Int { 8 + file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) } }
  func table(_ file: [UInt8]) -> [UInt8] {
    let text = file[8..<dataStart(file)]
    return Array(text[...(text.lastIndex { $0 != 0x20 } ?? text.startIndex)])
  }
  guard mutator.below(8) > 0 else { return mutator.mutate(file, other: other) }
  var text = mutator.mutate(table(file), other: table(other))
  while text.count % 64 != 56 { text.append(0x20) }
  let length: [UInt8] = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
  return length + text + Array(file[dataStart(file)...])
}

struct SafetensorsTarget: FuzzTarget {
  let seeds: [[[UInt8]]]
  let words = [
    "F32", "F16", "BF16", "F8_E4M3", "I64", "I8", "U8", "BOOL", "Q8_0", "dtype", "shape", "data_offsets",
    "__metadata__",
  ]

  init(_ fixtures: String) throws {
    seeds = try [
      "GGUF/every-type.safetensors", "LoRA/sd15/kohya.safetensors", "LoRA/sd15/processors.safetensors",
      "sd15/c_schedule/inputs.safetensors",
    ].filter { FileManager.default.fileExists(atPath: "\(fixtures)/\($0)") }
      .map { [try FileReader.contents(of: "\(fixtures)/\($0)")] }
  }

  func mutated(_ part: [UInt8], other: [UInt8], _ mutator: inout Mutator) -> [UInt8] {
    mutatedTable(part, other: other, &mutator)
  }

  func read(_ parts: [[UInt8]], in folder: String) throws {
    let path = "\(folder)/file.safetensors"
    try write(parts[0], to: path)
    let file = try SafetensorsFile(path: path)
    try readAll(file)
    if let lora = try? LoRAFile(path: path) { _ = (lora.summary, try? lora.branches(on: [])) }
    _ = try? openModel(path: path)
  }
}

struct GGUFTarget: FuzzTarget {
  let seeds: [[[UInt8]]]
  let words = ["GGUF", "general.alignment", "general.architecture", "comfy.gguf.orig_shape.", "conv.weight"]
  let isText = false
  /// Where the data of the only seed starts.
  private let dataStart: Int

  init(_ fixtures: String) throws {
    let path = "\(fixtures)/GGUF/every-type.gguf"
    seeds = [[try FileReader.contents(of: path)]]
    dataStart = try GGUFFile(path: path).tensors.map(\.range.lowerBound).min()!
  }

  /// Mostly the tables; the data behind them starts at a multiple of 32 as it did before.
  func mutated(_ part: [UInt8], other: [UInt8], _ mutator: inout Mutator) -> [UInt8] {
    guard mutator.below(8) > 0 else { return mutator.mutate(part, other: other) }
    var tables = mutator.mutate(Array(part[..<dataStart]), other: other)
    while tables.count % 32 != 0 { tables.append(0) }
    return tables + part[dataStart...]
  }

  func read(_ parts: [[UInt8]], in folder: String) throws {
    let path = "\(folder)/file.gguf"
    try write(parts[0], to: path)
    try readAll(GGUFFile(path: path))
    _ = try? openModel(path: path)
  }
}
