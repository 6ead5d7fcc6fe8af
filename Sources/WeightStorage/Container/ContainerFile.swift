import FoundationEssentials
import Tensors

/// A whole model in one safetensors file, with its weights in the layout of the kernels.
///
///     __metadata__   pentimento.format   "1"
///                    pentimento.shapes   {"unet.conv_in.weight": [320, 4, 3, 3], …}  of the weights in panels
///                    pentimento.…        other tables, see `Table`
///                    unet/config.json    {…}  and the other small files of a diffusers folder
///     tensors        unet.conv_in.weight        F16 `[ceil(N/16), K, 16]`: panels (`Layout`)
///                    unet.….to_q.weight         I8  `[ceil(N/16), bytes of a panel]`
///                    unet.….to_q.weight.scale   F32 `[N]`; scales lie together, at the end
///                    unet.conv_in.bias          F32
///                    _pad.0                     U8, so that the next tensor starts at a multiple of 64
///
/// Nothing is converted when it is opened or read: kernels compute from the mapped file.
package struct ContainerFile: Sendable {
  package static let version = "1"
  package static let alignment = 64
  static let formatKey = "pentimento.format"
  package static let scaleSuffix = ".scale"
  static let paddingPrefix = "_pad."

  /// Texts about the tensors in the file's metadata; each is a JSON object.
  package enum Table: String, CaseIterable {
    /// The checkpoint's shape of every weight in panels.
    case shapes = "pentimento.shapes"
    /// The groups that the input channels of a weight were rotated in, of those that were.
    case rotations = "pentimento.rotations"
    /// SHA-256 of every tensor's bytes.
    case hashes = "pentimento.sha256"
    /// What was asked for, and the signal-to-noise ratio of every weight that lost something, in decibels.
    case report = "pentimento.report"
    /// Hash of the source, version of the program; always of the same length.
    case provenance = "pentimento.provenance"
  }

  package let file: SafetensorsFile
  /// By component, under the component's own names.
  private let tensors: [String: [TensorEntry]]

  package static func isContainer(_ file: SafetensorsFile) -> Bool { file.metadata[formatKey] != nil }

  /// - Throws: `containerVersion`; `missingTensor`, `sizeMismatch` where the tables do not fit the tensors; `badScale`.
  package init(_ file: SafetensorsFile) throws(WeightFileError) {
    self.file = file
    let found = file.metadata[Self.formatKey] ?? "none"
    guard found == Self.version else {
      throw .containerVersion(file: file.reader.label, found: found, supported: Self.version)
    }
    let shapes = try Self.shapes(file)
    let rotations = try Self.json(.rotations, file)
    for name in shapes.keys { _ = try file.tensor(name) }
    var tensors: [String: [TensorEntry]] = [:]
    for tensor in file.tensors where !tensor.name.hasPrefix(Self.paddingPrefix) {
      guard let dot = tensor.name.firstIndex(of: ".") else { continue }
      var view = tensor
      if let shape = shapes[tensor.name] {
        let rotation = rotations[tensor.name]
        let group = rotation.isPresent ? try rotation.integer() : nil
        view = try Self.packed(tensor, shape, rotation: group, file.reader.label)
      } else if tensor.name.hasSuffix(Self.scaleSuffix) {
        try Self.checkScales(tensor, file)
      }
      let own = String(tensor.name[tensor.name.index(after: dot)...])
      tensors[String(tensor.name[..<dot]), default: []].append(view.renamed(own))
    }
    self.tensors = tensors
  }

  package var components: some Collection<String> { tensors.keys }

  /// The weights of a component, used where they are mapped.
  package func weights(of component: String) -> Checkpoint {
    Checkpoint(file, tensors: tensors[component] ?? [], label: "\(file.reader.label) (\(component))")
  }

  /// One of the file's tables.
  package func table(_ table: Table) throws(WeightFileError) -> ConfigValue { try Self.json(table, file) }

  private static func json(_ table: Table, _ file: SafetensorsFile) throws(WeightFileError) -> ConfigValue {
    let label = "\(file.reader.label) (\(table.rawValue))"
    let text = file.metadata[table.rawValue] ?? "{}"
    return ConfigValue(file: label, value: try JSONValue(parsing: Array(text.utf8), file: label))
  }

  /// Scanned, not decoded: thousands of entries are read whenever the file is opened.
  private static func shapes(_ file: SafetensorsFile) throws(WeightFileError) -> [String: [Int]] {
    let label = "\(file.reader.label) (\(Table.shapes.rawValue))"
    var scanner = JSONScanner(Array((file.metadata[Table.shapes.rawValue] ?? "{}").utf8))
    var shapes: [String: [Int]] = [:]
    do throws(JSONError) {
      var names: Set<String> = []
      try scanner.open("{")
      while let name = try scanner.nextKey(&names) { shapes[name] = try scanner.sizes() }
      try scanner.expectEnd()
    } catch {
      throw error.inFile(label) { .badJSON(file: label, reason: $0) }
    }
    return shapes
  }

  /// A weight in panels, whose bytes have to be just those of its shape.
  private static func packed(
    _ tensor: TensorEntry, _ shape: [Int], rotation: Int?, _ file: String
  ) throws(WeightFileError) -> TensorEntry {
    guard let element = tensor.element.weight, [2, 4].contains(shape.count) else {
      throw .badContainer(file: file, reason: "\(tensor.name) cannot be panels of \(shape)")
    }
    // A product of these sizes stays far below an overflow: the file's own size bounds what is compared with it.
    guard shape.allSatisfy({ (1...1 << 24).contains($0) }),
      shape.reduce(1.0, { $0 * Double($1) }) < 1e15
    else { throw .sizeOverflow(file: file, tensor: tensor.name, shape: shape) }
    let needs = TensorType.panels(of: shape, element).byteCount
    guard needs == tensor.range.count else {
      throw .sizeMismatch(file: file, tensor: tensor.name, needs: needs, has: tensor.range.count)
    }
    if let rotation, shape[1] % rotation != 0 || ![16, 64, 256].contains(rotation) {
      throw .badContainer(file: file, reason: "\(tensor.name) is rotated in groups of \(rotation)")
    }
    return tensor.packed(shape, rotation: rotation)
  }

  private static func checkScales(_ tensor: TensorEntry, _ file: SafetensorsFile) throws(WeightFileError) {
    let label = file.reader.label
    guard tensor.element == .f32, let mapping = file.mapping else {
      throw .badContainer(file: label, reason: "\(tensor.name) is no list of scales")
    }
    let scales = mapping.address(tensor.range.lowerBound).assumingMemoryBound(to: Float.self)
    for i in 0..<tensor.count where !(scales[i] >= 0 && scales[i] < .infinity) {
      throw .badScale(file: label, tensor: tensor.name, value: "\(scales[i])")
    }
    try mapping.check()
  }
}

extension TensorType {
  /// Panels of a weight `[N, K]` or `[O, I, kh, kw]`.
  package static func panels(of shape: [Int], _ element: ElementType) -> TensorType {
    let order = shape.count == 4 ? [shape[0], shape[2], shape[3], shape[1]] : shape
    return TensorType(order, element: element, layout: .panels)
  }
}

extension ContainerFile {
  /// Compares every tensor with the hash that was taken when it was written.
  ///
  /// - Returns: the number of tensors.
  /// - Throws: `damagedTensor`, `WeightFileError` if the file cannot be read, `CancellationError`.
  package func verify() throws -> Int {
    let hashes = try table(.hashes)
    let tensors = file.tensors.filter { !$0.name.hasPrefix(Self.paddingPrefix) }
    for tensor in tensors {
      let expected = try hashes[tensor.name].string()
      guard try file.reader.hash(tensor.range) == expected else {
        throw WeightFileError.damagedTensor(file: file.reader.label, tensor: tensor.name)
      }
    }
    return tensors.count
  }
}
