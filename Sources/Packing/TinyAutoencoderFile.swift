import FoundationEssentials
import WeightStorage

/// A tiny autoencoder (TAESD, Bohan 2023) in a file of its own, or in two, one for each half, in every layout in which
/// it is published.
///
///     encoder   encoder.layers.N · taesd_encoder.N · encoder.N · N
///     decoder   decoder.layers.N · taesd_decoder.M · decoder.M · M,   M = N + 1: the first is a limit without weights
///
/// The first is that of diffusers, the second ComfyUI's, the last that of the publication, whose halves are files
/// (`taesd_encoder.safetensors`, `taesd_decoder.safetensors`).
struct TinyAutoencoderFile {
  let weights: Checkpoint
  /// `vae/config.json`, of what names and shapes say.
  let configuration: Data

  private enum Half: String, CaseIterable { case encoder, decoder }

  /// Where a file has a half: what names begin with, and how much more its numbers are than the networks' own.
  private struct Layout {
    let half: Half
    let prefix: String
    let shift: Int

    static let all = Half.allCases.flatMap { half in
      [("\(half).layers.", 0)].map { Layout(half: half, prefix: $0, shift: $1) }
        + ["taesd_\(half).", "\(half).", ""].map {
          Layout(half: half, prefix: $0, shift: half == .decoder ? 1 : 0)
        }
    }

    /// Both halves begin with a convolution; of files without a prefix the encoder's number 0 tells them apart.
    func isIn(_ names: Set<String>) -> Bool {
      guard names.contains("\(prefix)\(shift).weight") else { return false }
      return shift == 0 || !names.contains("\(prefix)0.weight")
    }

    /// The networks' name of a tensor; nil where it is of something else.
    func own(_ name: String) -> String? {
      guard name.hasPrefix(prefix) else { return nil }
      let rest = name.dropFirst(prefix.count)
      let digits = rest.prefix { $0 != "." }
      guard let number = Int(digits), number >= shift else { return nil }
      return "\(half).layers.\(number - shift)\(rest.dropFirst(digits.count))"
    }
  }

  /// Scalars that ComfyUI writes beside, of its own bookkeeping of latents.
  private static let ignored: Set = ["vae_scale", "vae_shift"]

  /// - Returns: nil for a file of something else.
  /// - Throws: `lacksHalf`, `unknownTensor`, `unusualShapes`, or what is wrong with a file.
  init?(at path: String) throws(WeightFileError) {
    let file = try openTensorFile(path: path)
    let layouts = Self.layouts(of: file)
    guard let some = layouts.first?.half else { return nil }
    var parts = [try Self.read(file, layouts)]
    if let missing = Half.allCases.first(where: { half in !layouts.contains { $0.half == half } }) {
      let other = Self.sibling(of: path, named: some.rawValue, missing.rawValue)
      guard let other, FileManager.default.fileExists(atPath: other) else {
        throw .lacksHalf(file: path, half: missing.rawValue, beside: other)
      }
      let second = try openTensorFile(path: other)
      let found = Self.layouts(of: second).filter { $0.half == missing }
      guard !found.isEmpty else { throw .lacksHalf(file: other, half: missing.rawValue, beside: nil) }
      parts.append(try Self.read(second, found))
    }
    let names = parts.reduce(into: [String: String]()) { $0.merge($1.names) { mine, _ in mine } }
    let all = parts.map { part in
      Checkpoint(
        part.file, tensors: part.tensors, label: "\(part.file.reader.label) (vae)",
        translation: { names[$0] ?? $0 })
    }
    weights = all.count == 1 ? all[0] : Checkpoint(all[0], adding: [all[1]])
    configuration = ModelDescription.json(try TinyAutoencoderFields(Shapes(weights)))
  }

  /// Whether a file with tensors of these names holds one of the halves.
  static func isIn(_ names: Set<String>) -> Bool { !layouts(of: names).isEmpty }

  private static func layouts(of file: any TensorFile) -> [Layout] { layouts(of: Set(file.tensors.map(\.name))) }

  private static func layouts(of names: Set<String>) -> [Layout] {
    Half.allCases.compactMap { half in Layout.all.first { $0.half == half && $0.isIn(names) } }
  }

  private static func read(
    _ file: any TensorFile, _ layouts: [Layout]
  ) throws(WeightFileError) -> (file: any TensorFile, tensors: [TensorEntry], names: [String: String]) {
    var (tensors, names) = ([TensorEntry](), [String: String]())
    for tensor in file.tensors.sorted(by: { $0.name < $1.name }) where !ignored.contains(tensor.name) {
      guard let own = layouts.lazy.compactMap({ $0.own(tensor.name) }).first else {
        throw .unknownTensor(file: file.reader.label, tensor: tensor.name)
      }
      tensors.append(tensor.renamed(own))
      names[own] = tensor.name
    }
    return (file, tensors, names)
  }

  /// `…/taesd_encoder.safetensors` → `…/taesd_decoder.safetensors`; nil where the file is not called after its half.
  private static func sibling(of path: String, named half: String, _ other: String) -> String? {
    let start = path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex
    let name = String(path[start...])
    let sibling = name.replacing(half, with: other, maxReplacements: 1)
    return sibling == name ? nil : String(path[..<start]) + sibling
  }
}

/// `vae/config.json` of a tiny autoencoder.
struct TinyAutoencoderFields: Encodable {
  let _className = "AutoencoderTiny"
  let inChannels: Int
  let outChannels: Int
  let latentChannels: Int
  let encoderBlockOutChannels: [Int]
  let decoderBlockOutChannels: [Int]
  let numEncoderBlocks: [Int]
  let numDecoderBlocks: [Int]
  /// Its latents are those of the noise network.
  let scalingFactor = 1

  /// - Throws: `missingTensor`, `unusualShapes`.
  init(_ shapes: Shapes) throws(WeightFileError) {
    (encoderBlockOutChannels, numEncoderBlocks) = try Self.levels("encoder", shapes)
    (decoderBlockOutChannels, numDecoderBlocks) = try Self.levels("decoder", shapes)
    inChannels = try shapes.size("encoder.layers.0.weight", 1)
    latentChannels = try shapes.size("decoder.layers.0.weight", 1)
    outChannels = try shapes.size(Self.convolutions("decoder", shapes).last!, 0)
  }

  private static func layers(_ half: String, _ shapes: Shapes) -> [Int] {
    let numbers = shapes.names.compactMap { name -> Int? in
      let parts = name.split(separator: ".")
      return parts.count > 2 && parts[0] == half ? Int(parts[2]) : nil
    }
    return Set(numbers).sorted()
  }

  private static func convolutions(_ half: String, _ shapes: Shapes) -> [String] {
    layers(half, shapes).map { "\(half).layers.\($0).weight" }.filter { shapes.shapes[$0] != nil }
  }

  /// Between two convolutions lie the blocks of a level, as wide as the first of the two makes them.
  private static func levels(
    _ half: String, _ shapes: Shapes
  ) throws(WeightFileError) -> (channels: [Int], blocks: [Int]) {
    var (channels, blocks) = ([Int](), [Int]())
    for number in layers(half, shapes) {
      let name = "\(half).layers.\(number)"
      if shapes.shapes["\(name).weight"] != nil {
        channels.append(try shapes.size("\(name).weight", 0))
        blocks.append(0)
      } else if blocks.isEmpty {
        throw shapes.unusual("its \(half) does not begin with a convolution")
      } else {
        blocks[blocks.count - 1] += 1
      }
    }
    guard channels.count > 1 else { throw shapes.unusual("its \(half) has no levels") }
    return (Array(channels.dropLast()), Array(blocks.dropLast()))
  }
}
