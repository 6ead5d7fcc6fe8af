/// Why a checkpoint is no network that this module can define. `file` is the JSON file that says so.
public enum ModelError: Error, Equatable {
  /// The file is not a JSON object.
  case unreadable(file: String)
  /// A field without a default is not there.
  case missing(file: String, field: String)
  /// A field holds something of another kind.
  case malformed(file: String, field: String, expected: String, found: String)
  /// A field asks for something that is not implemented.
  case unsupported(file: String, field: String, found: String, supported: String)
  /// The network reads other channels than those of a latent: inpainting (9) and instruction models (8).
  case latentChannels(file: String, found: Int)
  /// A block type that is not implemented.
  case blockType(file: String, found: String, supported: [String])
  /// Two fields that exclude each other.
  case inconsistent(file: String, field: String, reason: String)
  /// The network reads text states of another width than the encoders write.
  case contextWidth(network: Int, encoders: [Int])
  /// The tokenizer makes ids that the text encoder does not know.
  case unknownToken(id: Int, vocabulary: Int)
  /// The text encoders read sequences of different lengths.
  case sequenceLengths([Int])
  /// The network reads a pooled text vector of another width than the second encoder writes (nil: none).
  case pooledWidth(network: Int, encoder: Int?)
  /// Two models that were to be compared have other networks.
  case differentNetworks(String, String)
  /// A network gave NaN or an infinity for ordinary inputs.
  case notFinite(part: String)
}

extension ModelError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unreadable(let file):
      "\(file) is not a JSON object: copy the file again from where the model came from"
    case .missing(let file, let field):
      "\(file) has no field \(field): use the configuration that was published with the weights"
    case .malformed(let file, let field, let expected, let found):
      "\(file): \(field) is \(found), not \(expected): use the configuration published with the weights"
    case .unsupported(let file, let field, let found, let supported):
      """
      \(file): \(field) is \(found), supported is \(supported): use a checkpoint of the Stable Diffusion 1, 2 \
      or XL family
      """
    case .latentChannels(let file, let found):
      """
      \(file): in_channels is \(found), supported is 4: use the plain text-to-image checkpoint, not its \
      variant for inpainting or instructions
      """
    case .blockType(let file, let found, let supported):
      """
      \(file): unknown block type \(found), supported are \(supported.joined(separator: ", ")): use a \
      checkpoint of the Stable Diffusion 1, 2 or XL family
      """
    case .inconsistent(let file, let field, let reason):
      "\(file): \(field) \(reason): use the configuration published with the weights"
    case .contextWidth(let network, let encoders):
      """
      the network reads text states of width \(network), the text encoder writes \
      \(encoders.map(String.init).joined(separator: " + ")): take unet and text_encoder from one model
      """
    case .unknownToken(let id, let vocabulary):
      """
      the tokenizer makes token \(id), the text encoder knows \(vocabulary) tokens: take tokenizer and \
      text_encoder from one model
      """
    case .sequenceLengths(let lengths):
      """
      the text encoders read \(lengths.map(String.init).joined(separator: " and ")) tokens: take \
      text_encoder and text_encoder_2 from one model
      """
    case .pooledWidth(let network, let encoder):
      """
      the network reads a pooled text vector of width \(network), \
      \(encoder.map { "text_encoder_2 writes \($0)" } ?? "no text encoder writes one"): take unet and \
      text_encoder_2 from one model
      """
    case .differentNetworks(let model, let reference):
      "\(model) was not made from \(reference), its networks are others: name the model that was quantized"
    case .notFinite(let part):
      "\(part) computes values that are not finite: its weights are damaged, download them again"
    }
  }
}
