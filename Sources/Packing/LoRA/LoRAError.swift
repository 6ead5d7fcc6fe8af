/// Why a LoRA file was refused. What is wrong with it as a weight file is a `WeightFileError`.
public enum LoRAError: Error, Equatable, Sendable {
  /// No tensor of the file is half of a LoRA.
  case notALoRA(file: String)
  /// The file changes weights in another way.
  case unsupportedKind(file: String, tensor: String, kind: String)
  /// A name whose end says nothing.
  case unknownTensor(file: String, tensor: String)
  /// The model has no such layer.
  case unknownLayer(file: String, tensor: String)
  /// Something without the matrix that belongs to it.
  case incomplete(file: String, tensor: String, missing: String)
  /// A key of `alpha_pattern` that is no regular expression, or none that is understood.
  case badPattern(file: String, pattern: String, reason: String)
  /// It holds numbers that are infinite or none.
  case notFinite(file: String, tensor: String)
  /// The factor, times alpha over rank, makes an infinity of a side branch.
  case factorTooLarge(file: String, layer: String, factor: String)
  /// With it, or all of them, a network that is sound computes numbers that are none.
  case overflow(files: [String])
  /// Two names for one tensor.
  case doubled(file: String, tensor: String, other: String)
}

extension LoRAError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notALoRA(let file):
      "\(file): has no tensor of a LoRA (….lora_A.weight, ….lora_down.weight); name a LoRA"
    case .unsupportedKind(let file, let tensor, let kind):
      "\(file): tensor \(tensor) belongs to \(kind), which is not supported; use a plain LoRA"
    case .unknownTensor(let file, let tensor):
      "\(file): tensor \(tensor) is no part of a LoRA that is known here; use a file of diffusers or kohya-ss"
    case .unknownLayer(let file, let tensor):
      "\(file): tensor \(tensor) belongs to no layer of this model; use a LoRA that was made for its family"
    case .incomplete(let file, let tensor, let missing):
      "\(file): tensor \(tensor) has no \(missing) beside it; the file is incomplete, download it again"
    case .badPattern(let file, let pattern, let reason):
      "\(file): alpha_pattern: \"\(pattern)\" is not understood (\(reason)); write the layer's path instead"
    case .notFinite(let file, let tensor):
      "\(file): tensor \(tensor) holds numbers that are infinite or none; the file is damaged, download it again"
    case .factorTooLarge(let file, let layer, let factor):
      "\(file): at the factor \(factor) its values for \(layer) are beyond any number; give a smaller factor"
    case .overflow(let files):
      "\(files.joined(separator: ", ")): with it the network computes values that are not finite, and without it "
        + "ordinary ones; give a smaller factor"
    case .doubled(let file, let tensor, let other):
      "\(file): tensors \(tensor) and \(other) are the same weight; remove one of them"
    }
  }
}
