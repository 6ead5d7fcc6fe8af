import Files
import FoundationEssentials
import NeuralGraph
import Packing
import StableDiffusion
import Tensors
import WeightStorage

/// Single files in the layout of the first publication: a sound table of tensors, which is no sound model.
///
/// An input is a list of names and shapes, a line each, as `Tests/Fixtures/SingleFile` has of the published files; the
/// file that is made of it takes no room on the disk.
struct SingleFileTarget: FuzzTarget {
  let seeds: [[[UInt8]]]
  let words: [String]

  init(_ fixtures: String) throws {
    let lists = try ["sd15", "sd21", "sdxl"].map {
      try FileReader.contents(of: "\(fixtures)/SingleFile/\($0)-published.txt")
    }
    seeds = lists.map { [$0] }
    words = lists.flatMap { list in
      String(decoding: list, as: UTF8.self).split(separator: "\n").enumerated()
        .filter { $0.offset % 17 == 0 }.map { "\n\($0.element)\n" }
    }
  }

  /// Lines, in place of the bytes that others change.
  func mutated(_ part: [UInt8], other: [UInt8], _ mutator: inout Mutator) -> [UInt8] {
    var lines = part.split(separator: 0x0A)
    for _ in 0...mutator.below(4) where lines.count > 1 {
      let place = mutator.below(lines.count)
      switch mutator.below(5) {
      case 0: lines.remove(at: place)
      case 1: lines.removeSubrange(place..<min(place + mutator.below(200), lines.count))
      case 2:
        lines[place] =
          mutator.mutate(Array(lines[place]), other: Array(lines[mutator.below(lines.count)]))[...]
      case 3:
        // The shape of another.
        let name = lines[place].split(separator: 0x09)[0]
        let shape = lines[mutator.below(lines.count)].split(separator: 0x09).last!
        lines[place] = name + [0x09] + shape
      default:
        // A block of another number.
        let line = String(decoding: lines[place], as: UTF8.self)
        let digits = line.prefix { $0 != "\t" }.indices.filter { line[$0].isNumber }
        guard !digits.isEmpty else { continue }
        var changed = line
        let digit = digits[mutator.below(digits.count)]
        changed.replaceSubrange(digit...digit, with: "\(mutator.below(14))")
        lines[place] = Array(changed.utf8)[...]
      }
    }
    return Array(lines.joined(separator: [0x0A]))
  }

  func read(_ parts: [[UInt8]], in folder: String) throws {
    let path = "\(folder)/model.safetensors"
    try writeSparse(Self.tensors(parts[0]), to: path)
    let files = try openModel(path: path)
    let configuration = try UNetConfiguration(json: files.data("unet/config.json"))
    var networks: [(String, Graph)] = []
    func define(_ component: String, _ body: (Scope) throws -> Void) rethrows {
      let builder = GraphBuilder()
      try body(builder.root)
      networks.append((component, builder.graph))
    }
    let side = 1 << (configuration.down.count - 1)
    try define("unet") { _ = try UNet(configuration).define(height: side, width: side, tokens: 77, $0) }
    let weights = try files.weights(of: "vae")
    let coder = try autoencoder(describedBy: files.data("vae/config.json"), file: "vae") {
      try? weights.shape(of: $0)
    }
    try define("vae") { _ = try coder.defineDecoder(height: 8, width: 8, $0) }
    for name in ["text_encoder", "text_encoder_2"] where files.has(name) {
      let configuration = try TextEncoderConfiguration(json: files.data("\(name)/config.json"))
      let prefix = TextEncoder.prefix(ofNames: try files.weights(of: name).names)
      try define(name) { _ = try TextEncoder(configuration, prefix: prefix).define($0) }
    }
    for (component, graph) in networks {
      let weights = try files.weights(of: component)
      for weight in graph.weights { _ = try weights.tensor(weight.name, shape: weight.shape) }
      // One row of some, as they are read for the kernels.
      for weight in graph.weights.prefix(40) where weight.shape[0] > 0 {
        let bytes = weight.shape.dropFirst().reduce(4, *)
        guard bytes < 1 << 20 else { continue }
        let window = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 16)
        defer { window.deallocate() }
        _ = try weights.read(0..<1, of: weight.name, into: window)
      }
    }
  }

  private static func tensors(_ list: [UInt8]) -> [(name: String, shape: [Int])] {
    var names: Set<String> = []
    return list.split(separator: 0x0A).compactMap { line in
      let fields = String(decoding: line, as: UTF8.self).split(
        separator: "\t", omittingEmptySubsequences: false)
      let shape = (fields.count > 1 ? fields[1] : "").split(separator: ",").compactMap { Int($0) }
      guard shape.reduce(2.0, { $0 * abs(Double($1)) }) < 0x1p33, shape.allSatisfy({ $0 >= 0 }),
        names.insert(String(fields[0])).inserted
      else { return nil }
      return (String(fields[0]), shape)
    }
  }

  /// Zeros of half precision.
  private func writeSparse(_ tensors: [(name: String, shape: [Int])], to path: String) throws {
    var offset = 0
    var rows: [String] = []
    for (name, shape) in tensors {
      let end = offset + shape.reduce(2, *)
      let key = String(decoding: try JSONEncoder().encode(name), as: UTF8.self)
      rows.append(#"\#(key):{"dtype":"F16","shape":\#(shape),"data_offsets":[\#(offset),\#(end)]}"#)
      offset = end
    }
    let text = Array("{\(rows.joined(separator: ","))}".utf8)
    try write((0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text, to: path)
    try extend(path, to: 8 + text.count + offset)
  }
}
