import FoundationEssentials
import JSON
import Tensors

/// A whole model in one safetensors file, with its weights in the layout of the kernels.
///
///     __metadata__   pentimento.format   "1", or "2" where a weight is multiplied by 16 bits
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
  /// Of containers that need nothing newer, and of those with the table `activations`, from which a reader that does not
  /// know it would compute something else.
  package static let version = "1", wideVersion = "2"
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
    /// The bits of every value that an int8 weight is multiplied by, of weights where these are 16.
    case activations = "pentimento.activations"
    /// SHA-256 of every tensor's bytes.
    case hashes = "pentimento.sha256"
    /// What was asked for, and the signal-to-noise ratio of every weight that lost something, in decibels.
    case report = "pentimento.report"
    /// Hash of the source, version of the program; always of the same length.
    case provenance = "pentimento.provenance"
  }

  package let file: SafetensorsFile
  /// What the file says its version is.
  package let version: String
  /// By component, under the component's own names.
  private let tensors: [String: [TensorEntry]]

  package static func isContainer(_ file: SafetensorsFile) -> Bool { isContainer(file.metadata) }

  /// A container that lost its version is one all the same.
  static func isContainer(_ metadata: [String: String]) -> Bool {
    metadata[formatKey] != nil || Table.allCases.contains { metadata[$0.rawValue] != nil }
  }

  /// - Throws: `containerVersion`; `configuration` for a table that cannot be read;
  ///   `misaligned`, `unsupportedElement`, `missingTensor`, `sizeMismatch`, `shapeMismatch`, `badScale` or
  ///   `badContainer` for a tensor that is not what the tables say.
  package init(_ file: SafetensorsFile) throws(WeightFileError) {
    self.file = file
    let found = file.metadata[Self.formatKey] ?? "none"
    guard found == Self.version || found == Self.wideVersion else {
      throw .containerVersion(
        file: file.reader.label, found: found, supported: "\(Self.version) and \(Self.wideVersion)")
    }
    version = found
    let check = try ContainerCheck(file)
    var tensors: [String: [TensorEntry]] = [:]
    for tensor in file.tensors {
      guard let view = try check.weight(tensor), let dot = tensor.name.firstIndex(of: ".") else { continue }
      let own = String(tensor.name[tensor.name.index(after: dot)...])
      tensors[String(tensor.name[..<dot]), default: []].append(view.renamed(own))
    }
    self.tensors = tensors
  }

  package var components: some Collection<String> { tensors.keys }

  /// Of all weights, component first; their scales are no weights.
  package var weightNames: [String] {
    let names = tensors.flatMap { part, weights in weights.map { "\(part).\($0.name)" } }
    let scales = Set(names.map { $0 + Self.scaleSuffix })
    return names.filter { !scales.contains($0) }
  }

  /// The weights of a component, used where they are mapped.
  package func weights(of component: String) -> Checkpoint {
    Checkpoint(file, tensors: tensors[component] ?? [], label: "\(file.reader.label) (\(component))")
  }

  /// One of the file's tables.
  package func table(_ table: Table) throws(WeightFileError) -> ConfigValue { try Self.table(table, file) }

  static func table(_ table: Table, _ file: SafetensorsFile) throws(WeightFileError) -> ConfigValue {
    let label = label(table, file)
    let text = file.metadata[table.rawValue] ?? "{}"
    return try configuration { () throws(ConfigurationError) in
      try ConfigValue(parsing: Array(text.utf8), file: label)
    }
  }

  static func label(_ table: Table, _ file: SafetensorsFile) -> String {
    "\(file.reader.label) (\(table.rawValue))"
  }
}

extension TensorType {
  /// Panels of a weight `[N, K]` or `[O, I, kh, kw]`.
  package static func panels(of shape: [Int], _ element: ElementType) -> TensorType {
    let order = shape.count == 4 ? [shape[0], shape[2], shape[3], shape[1]] : shape
    return TensorType(order, element: element, layout: .panels)
  }
}
