import Files
import Tensors

/// The weights of one component of a diffusers model (`unet/`), in one file or in shards, read in rows.
///
/// A row is one index of a tensor's first dimension. Nothing is kept: a caller reads as many rows as its window
/// holds and drops them from the page cache when they are used, so memory grows with neither file nor model.
package final class Checkpoint: Sendable {
  /// How errors name the weights: the file, or the index of the shards.
  package let label: String
  /// All tensors, sorted.
  package let names: [String]
  package let files: [any TensorFile]
  private let fileOfName: [String: Int]
  /// Tensors that are called otherwise in their file, or are only a part of what it has.
  private let views: [String: TensorEntry]
  /// What the file calls a tensor, also one that it does not have; nil where names are not translated.
  private let translation: (@Sendable (String) -> String)?

  /// One file.
  package init(file path: String, label: String? = nil) throws(WeightFileError) {
    let file = try openTensorFile(path: path, label: label)
    self.label = file.reader.label
    files = [file]
    names = file.tensors.map(\.name).sorted()
    fileOfName = Dictionary(uniqueKeysWithValues: names.map { ($0, 0) })
    views = [:]
    translation = nil
  }

  /// Tensors of one file under names of their own.
  ///
  /// - Parameters:
  ///   - tensors: made from the file's own entries; no two of one name.
  ///   - translation: what the file calls a tensor, also one that it does not have.
  package init(
    _ file: any TensorFile, tensors: [TensorEntry], label: String,
    translation: @escaping @Sendable (String) -> String = { $0 }
  ) {
    self.label = label
    self.translation = translation
    files = [file]
    views = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
    names = views.keys.sorted()
    fileOfName = views.mapValues { _ in 0 }
  }

  /// The tensors of one checkpoint and those of others under names of their own.
  ///
  /// - Parameter others: no two tensors of one name.
  package init(_ base: Checkpoint, adding others: [Checkpoint]) {
    (label, translation) = (base.label, base.translation)
    var (files, fileOfName, views) = (base.files, base.fileOfName, base.views)
    for other in others {
      for (name, file) in other.fileOfName {
        precondition(fileOfName[name] == nil, "two tensors \(name)")
        fileOfName[name] = files.count + file
      }
      views.merge(other.views) { mine, _ in mine }
      files += other.files
    }
    (self.files, self.fileOfName, self.views) = (files, fileOfName, views)
    names = fileOfName.keys.sorted()
  }

  /// Shards, found through their index. Every shard has to exist and to hold what the index says.
  package init(index path: String, label: String? = nil) throws(WeightFileError) {
    let index = try ShardIndex(path: path, label: label ?? path)
    self.label = index.label
    let shards = Set(index.shardOfName.values).sorted()
    var files: [any TensorFile] = []
    for shard in shards {
      files.append(
        try SafetensorsFile(
          path: sibling(shard, of: path), label: sibling(shard, of: index.label)))
    }
    let position = Dictionary(uniqueKeysWithValues: shards.enumerated().map { ($1, $0) })
    fileOfName = index.shardOfName.mapValues { position[$0]! }
    for (name, file) in fileOfName { _ = try files[file].tensor(name) }
    self.files = files
    names = fileOfName.keys.sorted()
    views = [:]
    translation = nil
  }

  /// The weights in a component's folder. Full precision is preferred where a folder holds both.
  ///
  /// - Throws: `pickle` if there are only pickles, `missingWeights` if there are none.
  package convenience init(folder: String, label: String? = nil) throws(WeightFileError) {
    let label = label ?? folder
    var present: Set<String> = []
    do throws(FileError) {
      present = Set(try FileReader.names(in: folder, label: label))
    } catch {
      guard case .missing = error else { throw .file(error) }
    }
    guard let name = Self.fileNames.first(where: present.contains) else {
      let pickles = present.filter { name in [".bin", ".ckpt", ".pt", ".pth"].contains { name.hasSuffix($0) }
      }
      if let pickle = pickles.min() { throw .pickle(file: "\(label)/\(pickle)") }
      throw .missingWeights(folder: label)
    }
    if name.hasSuffix(".json") {
      try self.init(index: "\(folder)/\(name)", label: "\(label)/\(name)")
    } else {
      try self.init(file: "\(folder)/\(name)", label: "\(label)/\(name)")
    }
  }

  /// In order of preference. Index files of a variant have had three spellings. The weights of training (`non_ema`)
  /// come last.
  private static let fileNames = ["diffusion_pytorch_model", "model"].flatMap { stem in
    (["safetensors", "safetensors.index.json"]
      + ["fp16", "bf16", "fp32", "ema", "non_ema"].flatMap { variant in
        [
          "\(variant).safetensors", "safetensors.index.\(variant).json",
          "safetensors.\(variant).index.json", "\(variant).safetensors.index.json",
        ]
      }).map { "\(stem).\($0)" }
  }

  // MARK: Tensors

  /// Names are not those of the file.
  package var isTranslated: Bool { translation != nil }

  /// What the file calls a tensor, also one that it does not have.
  package func ownName(of name: String) -> String { translation?(name) ?? name }

  package func contains(_ name: String) -> Bool { fileOfName[name] != nil }

  /// All tensors, sorted by name.
  package var tensors: [TensorEntry] { names.compactMap { try? tensor($0) } }

  /// - Parameter shape: what the caller expects; nil accepts any.
  /// - Throws: `missingTensor`, `shapeMismatch`.
  package func tensor(_ name: String, shape: [Int]? = nil) throws(WeightFileError) -> TensorEntry {
    let (file, tensor) = try place(of: name)
    if let shape, shape != tensor.shape {
      throw .shapeMismatch(
        file: file.reader.label, tensor: ownName(of: name), expected: shape, found: tensor.shape)
    }
    return tensor
  }

  package func shape(of name: String) throws(WeightFileError) -> [Int] { try tensor(name).shape }

  /// What the weight is read as: f32, f16 or bf16.
  ///
  /// - Throws: `missingTensor`, or `unsupportedElement` for anything a network cannot read.
  package func element(of name: String) throws(WeightFileError) -> ElementType {
    let (file, tensor) = try place(of: name)
    guard let element = tensor.weight, element != .s8 || tensor.layout == .panels else {
      throw .unsupportedElement(
        file: file.reader.label, tensor: ownName(of: name), dtype: tensor.element.rawValue,
        wanted: weightElements)
    }
    return element
  }

  /// How the weight is stored for a network.
  ///
  /// - Throws: `missingTensor`, `unsupportedElement`.
  package func format(of name: String) throws(WeightFileError) -> WeightFormat {
    let tensor = try place(of: name).tensor
    return WeightFormat(try element(of: name), rotation: tensor.rotation, activations: tensor.activations)
  }

  package func floats(_ name: String, shape: [Int]? = nil) throws(WeightFileError) -> [Float] {
    let element = try element(of: name)
    let (file, _) = try place(of: name)
    return try file.read(tensor(name, shape: shape)).floats(element)
  }

  /// The file that holds a tensor, and where.
  func place(of name: String) throws(WeightFileError) -> (file: any TensorFile, tensor: TensorEntry) {
    guard let index = fileOfName[name] else { throw .missingTensor(file: label, tensor: ownName(of: name)) }
    if let view = views[name] { return (files[index], view) }
    return (files[index], try files[index].tensor(name))
  }
}

/// `unet/model.safetensors.index.json`, `model-00001-of-00002.safetensors` → `unet/model-00001-of-00002.safetensors`
private func sibling(_ name: String, of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return name }
  return path[...slash] + name
}
