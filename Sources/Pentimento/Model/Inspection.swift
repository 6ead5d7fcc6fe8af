import FoundationEssentials
import Packing
import StableDiffusion
import Tensors
import WeightStorage

/// Descriptions of models and weight files for people.
public enum Inspection {
  /// What is at a path: a model, or a weight file that is none.
  ///
  /// - Parameter isForModel: the file is meant as a model, since other files complete it.
  public static func describe(
    _ url: URL, isForModel: Bool = false, _ open: (URL) throws -> Model, tensors: Bool
  ) throws -> String {
    if let path = try weightFile(at: url, isForModel: isForModel) {
      return try describe(weightFile: path, tensors: tensors)
    }
    return describe(try open(url), tensors: tensors)
  }

  /// The path of a weight file that is no whole model; nil for a model.
  static func weightFile(at url: URL, isForModel: Bool) throws -> String? {
    var isFolder = true
    _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    guard !isFolder, !isForModel else { return nil }
    let file = try openTensorFile(path: url.path)
    return try !SingleFileModel.isModel(file) && ContainerModel(at: url.path) == nil ? url.path : nil
  }

  /// What is in a model and how much of it.
  public static func describe(_ model: Model, tensors: Bool) -> String {
    var lines = ["model        \(model.files.path)", "family       \(model.family)"]
    if let container = (model.files as? ContainerModel)?.container {
      lines += (try? self.lines(container)) ?? []
    }
    lines += model.components.flatMap(\.facts.summary)
    lines.append(
      "native size  \(model.nativeSize)×\(model.nativeSize), sides in multiples of \(model.sizeMultiple)")
    for weights in model.components.map(\.checkpoint) {
      lines.append("")
      lines.append(describe(weights.tensors, label: weights.label, tensors: tensors))
    }
    return lines.joined(separator: "\n")
  }

  /// What is in a weight file.
  public static func describe(weightFile path: String, tensors: Bool) throws -> String {
    let file = try openTensorFile(path: path)
    var text = describe(file.tensors, label: path, tensors: tensors)
    if let file = file as? SafetensorsFile, LoRAFile.isLoRA(file) {
      text = try LoRAFile(path: path).summary + "\n" + text
    }
    for (key, value) in file.texts.sorted(by: { $0.key < $1.key }) { text += "\n  \(key): \(value)" }
    return text
  }

  private static func describe(_ entries: [TensorEntry], label: String, tensors: Bool) -> String {
    let total = entries.reduce(0) { $0 + $1.range.count }
    let numbers = entries.reduce(0) { $0 + $1.count }
    var lines = ["\(label): \(entries.count) tensors, \(numbers) numbers, \(total) bytes"]
    for (element, group) in Dictionary(grouping: entries, by: \.element).sorted(by: {
      $0.key.rawValue < $1.key.rawValue
    }) {
      lines.append(
        "  \(element.rawValue): \(group.count) tensors, \(group.reduce(0) { $0 + $1.range.count }) bytes")
    }
    if tensors {
      lines += entries.sorted { $0.name < $1.name }.map {
        "  \($0.name) \($0.element.rawValue) \(list($0.shape))"
      }
    }
    return lines.joined(separator: "\n")
  }
}
