import Kernels
import NeuralGraph
import Tensors

/// Operators that cost alike, and whether they multiply bytes. What a layer computes beside its product, norms and
/// activations before it and sums behind it, counts with the layer.
struct OperatorClass: Hashable {
  let name: String
  let multipliesBytes: Bool
}

extension OperatorClass {
  /// By the type of the operator and the shape of its weight; an operator of a kind that no word here matches is a
  /// class of its own.
  ///
  /// - Parameter types: of its inputs.
  init(_ op: any Op, _ types: [TensorType]) {
    let kind = "\(type(of: op))"
    let weight = types.first { $0.layout == .panels }
    let isBackward =
      kind.hasSuffix("DX") || kind.hasSuffix("DW") || kind.contains("DQ") || kind.contains("DKV")
    let isPlain = isBackward || kind.hasPrefix("Dequantized")
    multipliesBytes = !isPlain && (weight?.element == .s8 || kind.hasPrefix("Int8") || kind.contains("Byte"))
    let base = Self.words.first { words in words.kinds.contains(where: kind.contains) }?.name ?? kind
    let window = base == "convolution" ? weight.map { " \($0.shape[1])×\($0.shape[2])" } ?? "" : ""
    name = base + window + (isBackward ? ", backward" : "")
  }

  /// The first that matches holds.
  private static let words: [(kinds: [String], name: String)] = [
    (["Convolution"], "convolution"),
    (["FeedForward"], "feed-forward"),
    (["Attention"], "attention"),
    (["Linear", "Projections"], "linear"),
    (["Norm", "Statistics"], "normalisation"),
    (["SiLU", "GELU", "GEGLU", "ReLU", "SoftLimit"], "activation"),
    (["Quantize", "Rotate"], "quantization"),
    (
      ["Upsample", "Concatenate", "SliceChannels", "PadChannels", "Panels", "CheckpointKernels"],
      "arrangement"
    ),
    (["Embedding"], "embedding"),
    (
      ["Add", "Modulate", "Affine", "Scaled", "Residual", "Squared", "Dot", "Constant", "Sum"], "elementwise"
    ),
  ]
}
