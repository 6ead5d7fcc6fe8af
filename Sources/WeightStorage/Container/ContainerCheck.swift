import Files
import JSON
import Tensors

/// The tables of a container against its tensors, once, when it is opened: kernels compute from the mapped bytes and
/// look at nothing.
///
/// Reads the tables and the scales, a few megabytes of the largest model, and none of the panels.
struct ContainerCheck {
  private let file: SafetensorsFile
  private let label: String
  /// The checkpoint's shape of every weight in panels.
  private let shapes: [String: [Int]]
  /// Widths of the groups of input channels that were rotated.
  private let rotations: [String: Int]
  /// Weights that are multiplied by 16 bits.
  private let wide: Set<String>

  /// - Throws: `configuration`, `missingTensor`, `badContainer`.
  init(_ file: SafetensorsFile) throws(WeightFileError) {
    (self.file, label) = (file, file.reader.label)
    shapes = try Self.table(.shapes, file) { (scanner) throws(JSONError) in try scanner.sizes() }
    rotations = try Self.table(.rotations, file) { (scanner) throws(JSONError) in try scanner.size() }
    let activations = try Self.table(.activations, file) { (scanner) throws(JSONError) in try scanner.size() }
    wide = Set(activations.keys)
    guard activations.isEmpty || file.metadata[ContainerFile.formatKey] == ContainerFile.wideVersion else {
      throw bad("activations of 16 bits are of version \(ContainerFile.wideVersion)")
    }
    for (name, bits) in activations {
      // Only where a pixel or token is multiplied by itself.
      guard let shape = shapes[name], file[name]?.element == .i8, shape.dropFirst(2).allSatisfy({ $0 == 1 }),
        bits == ActivationBits.sixteen.rawValue
      else { throw bad("\(name) cannot be multiplied by activations of \(bits) bits") }
    }
    for name in shapes.keys where file[name] == nil { throw .missingTensor(file: label, tensor: name) }
    for name in rotations.keys where shapes[name] == nil || file[name]?.element != .i8 {
      throw bad("\(name) is said to be rotated and is no int8 weight")
    }
  }

  /// A table of the metadata. Scanned, not decoded: thousands of entries are read whenever a file is opened.
  private static func table<Entry>(
    _ table: ContainerFile.Table, _ file: SafetensorsFile,
    _ entry: (inout JSONScanner) throws(JSONError) -> Entry
  ) throws(WeightFileError) -> [String: Entry] {
    let label = ContainerFile.label(table, file)
    var scanner = JSONScanner(Array((file.metadata[table.rawValue] ?? "{}").utf8))
    var entries: [String: Entry] = [:]
    do throws(JSONError) {
      var names: Set<String> = []
      try scanner.open("{")
      while let name = try scanner.nextKey(&names) { entries[name] = try entry(&scanner) }
      try scanner.expectEnd()
    } catch {
      throw .configuration(ConfigurationError(error, file: label))
    }
    return entries
  }

  /// What a network reads a tensor as; nil for padding.
  func weight(_ tensor: TensorEntry) throws(WeightFileError) -> TensorEntry? {
    if tensor.name.hasPrefix(ContainerFile.paddingPrefix) {
      guard tensor.element == .u8, tensor.range.count < ContainerFile.alignment, shapes[tensor.name] == nil
      else { throw bad("tensor \(tensor.name) is more than padding") }
      return nil
    }
    guard tensor.name.contains(".") else { throw bad("tensor \(tensor.name) belongs to no network") }
    guard tensor.range.lowerBound % ContainerFile.alignment == 0 else {
      throw .misaligned(file: label, tensor: tensor.name, offset: tensor.range.lowerBound)
    }
    guard let element = tensor.element.weight, StoredElement(element) == tensor.element else {
      throw .unsupportedElement(
        file: label, tensor: tensor.name, dtype: tensor.element.rawValue, wanted: "I8, F16, BF16 or F32")
    }
    if let shape = shapes[tensor.name] { return try packed(tensor, element, shape) }
    guard element != .s8 else { throw bad("int8 tensor \(tensor.name) has no shape") }
    if tensor.name.hasSuffix(ContainerFile.scaleSuffix) { try checkScales(tensor) }
    return tensor
  }

  /// A weight in panels, whose bytes have to be just those of its shape.
  private func packed(
    _ tensor: TensorEntry, _ element: ElementType, _ shape: [Int]
  ) throws(WeightFileError) -> TensorEntry {
    // A product of such sizes stays far below an overflow: the file's own size bounds what is compared with it.
    guard [2, 4].contains(shape.count), shape.allSatisfy({ (1...1 << 24).contains($0) }),
      shape.reduce(1.0, { $0 * Double($1) }) < 1e15
    else { throw bad("tensor \(tensor.name) cannot be panels of \(shape)") }
    let needs = TensorType.panels(of: shape, element).byteCount
    guard needs == tensor.range.count else {
      throw .sizeMismatch(file: label, tensor: tensor.name, needs: needs, has: tensor.range.count)
    }
    let scales = tensor.name + ContainerFile.scaleSuffix
    if element == .s8, file[scales] == nil { throw .missingTensor(file: label, tensor: scales) }
    let rotation = rotations[tensor.name]
    if let rotation, ![16, 64, 256].contains(rotation) || shape[1] % rotation != 0 {
      throw bad("the \(shape[1]) input channels of \(tensor.name) cannot be rotated in groups of \(rotation)")
    }
    return tensor.packed(shape, rotation: rotation, wide.contains(tensor.name) ? .sixteen : .eight)
  }

  /// One finite scale for every output channel of an int8 weight.
  private func checkScales(_ tensor: TensorEntry) throws(WeightFileError) {
    let weight = String(tensor.name.dropLast(ContainerFile.scaleSuffix.count))
    guard let shape = shapes[weight], file[weight]?.element == .i8, !shape.isEmpty else {
      throw bad("the scales \(tensor.name) belong to no int8 weight")
    }
    guard tensor.element == .f32, let mapping = file.mapping else {
      throw .unsupportedElement(
        file: label, tensor: tensor.name, dtype: tensor.element.rawValue, wanted: "F32")
    }
    guard tensor.shape == [shape[0]] else {
      throw .shapeMismatch(file: label, tensor: tensor.name, expected: [shape[0]], found: tensor.shape)
    }
    // Aligned, as every tensor is by now, and inside the mapping, as every range of the file.
    let scales = mapping.address(tensor.range.lowerBound).assumingMemoryBound(to: Float.self)
    for i in 0..<tensor.count where !(scales[i] >= 0 && scales[i] < .infinity) {
      throw .badScale(file: label, tensor: tensor.name, value: "\(scales[i])")
    }
    try WeightFileError.ofFile { () throws(FileError) in try mapping.check() }
  }

  private func bad(_ reason: String) -> WeightFileError { .badContainer(file: label, reason: reason) }
}
