import Foundation
import StableDiffusion
import TestSupport
import Testing

private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

private func clip(padToken: String = "<|endoftext|>") throws -> Tokenizer {
  try Tokenizer(
    merges: Data(contentsOf: root.appending(path: "Weights/clip/merges.txt")), padToken: padToken)
}

/// A group of `Tests/Fixtures/Tokenizer/clip.json`: what transformers' CLIPTokenizer makes of some texts with some
/// configuration of the marks.
private struct Group: Decodable {
  var name: String
  var pad: Int32
  var files: [String: JSON]
  var merges: String?
  var vocabulary: [String: Int32]?
  var cases: [Case]

  struct Case: Decodable {
    var text: String
    var ids: [Int32]

    init(from decoder: any Decoder) throws {
      var list = try decoder.unkeyedContainer()
      text = try list.decode(String.self)
      ids = try list.decode([Int32].self)
    }
  }

  /// JSON that is handed on as it is.
  enum JSON: Codable {
    case bool(Bool)
    case number(Int)
    case text(String)
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let v = try? value.decode(Bool.self) {
        self = .bool(v)
      } else if let v = try? value.decode(Int.self) {
        self = .number(v)
      } else if let v = try? value.decode(String.self) {
        self = .text(v)
      } else {
        self = .object(try value.decode([String: JSON].self))
      }
    }

    func encode(to encoder: any Encoder) throws {
      var value = encoder.singleValueContainer()
      switch self {
      case .bool(let v): try value.encode(v)
      case .number(let v): try value.encode(v)
      case .text(let v): try value.encode(v)
      case .object(let v): try value.encode(v)
      }
    }
  }

  static func all() throws -> [Group] {
    try JSONDecoder().decode(
      [Group].self, from: Data(contentsOf: root.appending(path: "Tests/Fixtures/Tokenizer/clip.json")))
  }

  func tokenizer() throws -> Tokenizer {
    let map = try files["special_tokens_map"].map { try JSONEncoder().encode($0) }
    let configuration = try files["tokenizer_config"].map { try JSONEncoder().encode($0) }
    let merges =
      try self.merges ?? String(contentsOf: root.appending(path: "Weights/clip/merges.txt"), encoding: .utf8)
    return try Tokenizer(
      vocabulary: JSONEncoder().encode(vocabulary ?? Group.clipVocabulary(merges)), merges: Data(merges.utf8),
      specialTokensMap: map, configuration: configuration)
  }

  /// CLIP's `vocab.json`, from the rule in the README of its merges, written apart from the product's.
  static func clipVocabulary(_ merges: String) -> [String: Int32] {
    let printable = Array(33...126) + Array(161...172) + Array(174...255)
    let alphabet = (printable + Array(256..<324)).map { String(UnicodeScalar($0)!) }
    var tokens = alphabet + alphabet.map { $0 + "</w>" }
    tokens += merges.split(separator: "\n").dropFirst().map { $0.filter { $0 != " " } }
    return Dictionary(uniqueKeysWithValues: zip(tokens + ["<|startoftext|>", "<|endoftext|>"], 0...))
  }
}

@Suite("Tokenizer") struct TokenizerTests {
  @Test("gives the ids of the published tokenizer in every script", arguments: 0..<5)
  func published(group: Int) throws {
    let group = try Group.all()[group]
    let tokenizer = try group.tokenizer()
    #expect(tokenizer.padID == group.pad)
    for sample in group.cases {
      let encoding = tokenizer.encode(sample.text, maxLength: 77)
      let padding = [Int32](repeating: group.pad, count: 77 - sample.ids.count)
      #expect(encoding.ids == sample.ids + padding, "\(group.name): \(sample.text.debugDescription)")
      #expect(encoding.tokenCount == sample.ids.count - 2)
    }
  }

  /// `Tools/fixtures/make_tokens.py`.
  @Test("gives the published tokenizer's ids for 1,000 random texts in all scripts")
  func thousandTexts() throws {
    let samples = try JSONDecoder().decode(
      [Group.Case].self, from: Data(contentsOf: root.appending(path: "Tests/Fixtures/Tokenizer/scripts.json"))
    )
    #expect(samples.count == 1000)
    let tokenizer = try clip()
    for sample in samples {
      let padding = [Int32](repeating: tokenizer.padID, count: 77 - sample.ids.count)
      #expect(
        tokenizer.encode(sample.text, maxLength: 77).ids == sample.ids + padding,
        "\(sample.text.debugDescription)")
    }
  }

  @Test("is the same out of tokenizer.json, with merges as texts and as pairs", arguments: [false, true])
  func oneFile(asPairs: Bool) throws {
    let text = try String(contentsOf: root.appending(path: "Weights/clip/merges.txt"), encoding: .utf8)
    let merges = text.split(separator: "\n").dropFirst().map(String.init)
    let marks = ["<|startoftext|>", "<|endoftext|>"]
    let vocabulary = Group.clipVocabulary(text)
    let model: [String: Any] = [
      "type": "BPE", "end_of_word_suffix": "</w>", "unk_token": "<|endoftext|>",
      "vocab": vocabulary.filter { !marks.contains($0.key) },
      "merges": asPairs ? merges.map { $0.split(separator: " ").map(String.init) } : merges,
    ]
    let added = marks.map { ["id": vocabulary[$0]!, "content": $0, "special": true] as [String: Any] }
    let json = try JSONSerialization.data(withJSONObject: [
      "version": "1.0", "model": model, "added_tokens": added,
    ])
    let (ours, theirs) = try (Tokenizer(TokenizerFiles(json: json)), clip())
    for sample in try Group.all()[0].cases {
      #expect(ours.encode(sample.text, maxLength: 77) == theirs.encode(sample.text, maxLength: 77))
    }
    for (key, value) in [("type", "WordPiece"), ("end_of_word_suffix", "##")] {
      var other = model
      other[key] = value
      let json = try JSONSerialization.data(withJSONObject: ["model": other])
      let error = failure(TokenizerError.self) { try TokenizerFiles(json: json) }
      #expect(error?.description.contains("copy vocab.json and merges.txt") == true)
    }
  }

  @Test("needs nothing but the merges for CLIP's vocabulary")
  func mergesAlone() throws {
    let groups = try Group.all()
    let tokenizer = try clip()
    #expect(groups[0].cases.count >= 300)
    for sample in groups[0].cases {
      #expect(tokenizer.encode(sample.text, maxLength: 77).ids.starts(with: sample.ids), "\(sample.text)")
    }
    #expect(
      tokenizer.encode("a photo of a cat", maxLength: 8).ids == [
        49406, 320, 1125, 539, 320, 2368, 49407, 49407,
      ])
    #expect(try clip(padToken: "!").encode("cat", maxLength: 5).ids == [49406, 2368, 49407, 0, 0])
  }

  @Test("keeps the end mark of a prompt that is cut and names what was lost")
  func cut() throws {
    let tokenizer = try clip()
    let whole = tokenizer.encode("A photo  of a Café", maxLength: 7)
    #expect(whole.removed == nil && whole.tokenCount == 5 && whole.ids.last == 49407)

    let cut = tokenizer.encode("A photo  of a Café NEXT  to\na river ", maxLength: 7)
    #expect(cut.ids == whole.ids)
    #expect(cut.tokenCount == 5)
    #expect(cut.removed == "NEXT  to\na river")
  }

  @Test("names a word that was cut in its middle as lost")
  func cutInsideWord() throws {
    let encoding = try clip().encode("cat Supercalifragilistic dog", maxLength: 4)
    #expect(encoding.tokenCount == 2)
    #expect(encoding.removed == "Supercalifragilistic dog")
  }

  @Test("names lost text behind a mark written in the prompt")
  func cutBehindMark() throws {
    let encoding = try clip().encode("cat<|endoftext|>Dog <|startoftext|> Bird", maxLength: 4)
    #expect(encoding.ids == [49406, 2368, 49407, 49407])
    #expect(encoding.removed == "Dog <|startoftext|> Bird")
  }

  @Test("has room for the marks alone")
  func shortest() throws {
    let encoding = try clip().encode("cat", maxLength: 2)
    #expect(encoding.ids == [49406, 49407])
    #expect(encoding.tokenCount == 0 && encoding.removed == "cat")
    #expect(try clip().encode("", maxLength: 2).removed == nil)
  }

  @Test("reads a word of 100,000 letters in near-linear time")
  func longWord() throws {
    var state: UInt64 = 1
    let letters = (0..<100_000).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Character(UnicodeScalar(UInt8(97 + (state >> 33) % 26)))
    }
    let tokenizer = try clip()
    let time = ContinuousClock().measure { _ = tokenizer.encode(String(letters), maxLength: 77) }
    #expect(time < .seconds(5), "a board takes a fraction of a second; quadratic time would be minutes")
  }

  @Test("reads merges with Windows line ends and without a version line")
  func lineEnds() throws {
    let text = try String(contentsOf: root.appending(path: "Weights/clip/merges.txt"), encoding: .utf8)
    let windows = text.split(separator: "\n").dropFirst().joined(separator: "\r\n")
    #expect(
      try Tokenizer(merges: Data(windows.utf8)).encode("a photo of a cat", maxLength: 9)
        == clip().encode("a photo of a cat", maxLength: 9))
  }
}

@Suite("Tokenizer files") struct TokenizerFilesTests {
  private let vocabulary = Data(
    #"{"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4}"#.utf8)

  @Test("are refused when a merge names unknown tokens")
  func unknownMerge() {
    #expect(throws: TokenizerError.badMerge(line: 1, text: "a c</w>")) {
      try Tokenizer(vocabulary: vocabulary, merges: Data("#version: 0.2\na c</w>\n".utf8))
    }
  }

  @Test("are refused when a line is no pair")
  func noPair() {
    #expect(throws: TokenizerError.badMerge(line: 3, text: "a b c")) {
      try Tokenizer(vocabulary: vocabulary, merges: Data("#version: 0.2\na b</w>\na b c\n".utf8))
    }
  }

  @Test(
    "are refused when the vocabulary is no table",
    arguments: ["", "[]", "{\"a\": \"b\"}", "{\"a\": 1e40}", "PK"])
  func noTable(text: String) {
    do {
      _ = try Tokenizer(vocabulary: Data(text.utf8), merges: Data())
      Issue.record("was accepted")
    } catch TokenizerError.badVocabulary {
      return
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test("are refused when a mark is not in the vocabulary")
  func missingMark() {
    #expect(throws: TokenizerError.missingToken("[PAD]")) {
      try Tokenizer(
        vocabulary: vocabulary, merges: Data(), specialTokensMap: Data(#"{"pad_token": "[PAD]"}"#.utf8))
    }
  }

  @Test("are refused when a mark is neither string nor object")
  func wrongMark() {
    do {
      let configuration = Data(#"{"pad_token": 3}"#.utf8)
      _ = try Tokenizer(vocabulary: vocabulary, merges: Data(), configuration: configuration)
      Issue.record("was accepted")
    } catch TokenizerError.badMarks(file: "tokenizer_config.json", _) {
      return
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test("may set a mark to null, which leaves CLIP's own")
  func nullMark() throws {
    let tokenizer = try Tokenizer(
      vocabulary: vocabulary, merges: Data(), configuration: Data(#"{"pad_token": null}"#.utf8))
    #expect(tokenizer.padID == 4)
  }
}
