import FoundationEssentials
import JSON

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
    guard case .object(let members)? = try? JSONValue(parsing: Array(file), file: name),
      let fields = Fields(members)
    else {
      throw .badMarks(file: name, reason: "it is no JSON object, or a token in it is no text")
    }
    return fields
  }

  private struct Fields {
    var begin: Token?
    var end: Token?
    var unknown: Token?
    var pad: Token?
    /// Present, whatever it holds.
    var addedTokens: JSONValue?

    init() {}

    /// Nil where a token is no token.
    init?(_ members: JSONObject) {
      do {
        begin = try Token(members["bos_token"])
        end = try Token(members["eos_token"])
        unknown = try Token(members["unk_token"])
        pad = try Token(members["pad_token"])
      } catch { return nil }
      addedTokens = members["added_tokens_decoder"].flatMap { $0 == .null ? nil : $0 }
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
  private enum CodingKeys: CodingKey { case content, normalized }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(content, forKey: .content)
    try fields.encode(isNormalized, forKey: .normalized)
  }
}

extension TokenizerMarks.Token {
  fileprivate struct NoToken: Error {}

  /// A text, or an object with `content`; nil where there is nothing.
  fileprivate init?(_ value: JSONValue?) throws(NoToken) {
    switch value {
    case nil, .null?: return nil
    case .string(let text)?: self.init(content: text)
    case .object(let fields)?:
      guard case .string(let text)? = fields["content"] else { throw NoToken() }
      switch fields["normalized"] {
      case nil, .null?: self.init(content: text)
      case .bool(let isNormalized)?: self.init(content: text, isNormalized: isNormalized)
      default: throw NoToken()
      }
    default: throw NoToken()
    }
  }
}
