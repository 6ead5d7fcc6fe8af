import FoundationEssentials

/// The marks of a tokenizer, from `special_tokens_map.json` and `tokenizer_config.json`.
///
/// A value is a string or an object with `content`. The map wins over the configuration, unless the latter is of
/// the newer kind that lists all added tokens.
struct TokenizerMarks: Equatable {
  struct Token: Equatable {
    var content: String
    /// Whether the mark is looked for after normalisation.
    var isNormalized = false
  }

  var begin = Token(content: "<|startoftext|>")
  var end = Token(content: "<|endoftext|>")
  var unknown = Token(content: "<|endoftext|>")
  var pad = Token(content: "<|endoftext|>")

  init() {}

  init(specialTokensMap map: Data?, configuration: Data?) throws(TokenizerError) {
    let map = try Self.fields(of: map, file: "special_tokens_map.json")
    let configuration = try Self.fields(of: configuration, file: "tokenizer_config.json")
    let order = configuration.addedTokens == nil ? [configuration, map] : [map, configuration]
    for fields in order {
      begin = fields.begin ?? begin
      end = fields.end ?? end
      unknown = fields.unknown ?? unknown
      pad = fields.pad ?? pad
    }
  }

  private static func fields(of file: Data?, file name: String) throws(TokenizerError) -> Fields {
    guard let file else { return Fields() }
    do {
      return try JSONDecoder().decode(Fields.self, from: file)
    } catch {
      throw .badMarks(file: name, reason: "it is no JSON object, or a token in it is no text")
    }
  }

  private struct Fields: Decodable {
    /// Present, whatever it holds.
    struct Anything: Decodable { init(from decoder: any Decoder) throws {} }

    var begin: Token?
    var end: Token?
    var unknown: Token?
    var pad: Token?
    var addedTokens: Anything?

    enum CodingKeys: String, CodingKey {
      case begin = "bos_token"
      case end = "eos_token"
      case unknown = "unk_token"
      case pad = "pad_token"
      case addedTokens = "added_tokens_decoder"
    }
  }
}

/// As `special_tokens_map.json`.
extension TokenizerMarks: Encodable {
  private enum CodingKeys: String, CodingKey {
    case begin = "bos_token"
    case end = "eos_token"
    case unknown = "unk_token"
    case pad = "pad_token"
  }
}

extension TokenizerMarks.Token: Encodable {
  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(content, forKey: .content)
    try fields.encode(isNormalized, forKey: .normalized)
  }
}

extension TokenizerMarks.Token: Decodable {
  private enum CodingKeys: CodingKey { case content, normalized }

  init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      content = text
    } else {
      let fields = try decoder.container(keyedBy: CodingKeys.self)
      content = try fields.decode(String.self, forKey: .content)
      isNormalized = try fields.decodeIfPresent(Bool.self, forKey: .normalized) ?? false
    }
  }
}
