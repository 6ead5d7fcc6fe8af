import WeightStorage

/// Weights in eight bits of floating point with a scale beside each, as ComfyUI and others write them:
///
///     X.weight         F8_E4M3 or F8_E5M2
///     X.scale_weight   F32, one number that all of X.weight is multiplied by; or X.weight_scale
///     X.scale_input    what activations are divided by where products are taken in eight bits; not used here
///     scaled_fp8       a mark, with nothing in it
struct ScaledTensors {
  private var scales: [String: Float] = [:]
  private var others: Set<String> = []

  private static let endings = ["scale_weight", "weight_scale"]
  private static let unused = ["scale_input", "input_scale"]

  /// - Throws: `severalScales` for scales of rows or blocks; `notFinite`.
  init(_ file: any TensorFile) throws(WeightFileError) {
    for tensor in file.tensors {
      let name = tensor.name
      if name == "scaled_fp8" || name.hasSuffix(".scaled_fp8") { others.insert(name) }
      guard let dot = name.lastIndex(of: ".") else { continue }
      let (layer, ending) = (name[..<dot], String(name[name.index(after: dot)...]))
      guard let weight = file["\(layer).weight"], [.f8e4m3, .f8e5m2].contains(weight.element) else {
        continue
      }
      if Self.unused.contains(ending) { others.insert(name) }
      guard Self.endings.contains(ending) else { continue }
      guard tensor.count == 1 else {
        throw .severalScales(file: file.reader.label, tensor: name, count: tensor.count)
      }
      let values = try file.floats(name)
      guard values[0].isFinite else { throw .notFinite(file: file.reader.label, tensor: name) }
      (scales[weight.name], _) = (values[0], others.insert(name))
    }
  }

  /// Whether a tensor is no weight but says how one is read.
  func areScales(_ name: String) -> Bool { others.contains(name) }

  func scaled(_ tensor: TensorEntry) -> TensorEntry {
    scales[tensor.name].map(tensor.scaled) ?? tensor
  }
}
