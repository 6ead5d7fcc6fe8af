import Testing
import WeightStorage

/// A damaged or hostile weight file and the error it has to give.
struct Corruption: Sendable, CustomTestStringConvertible {
  var name: String
  var bytes: [UInt8]
  var isRefusal: @Sendable (WeightFileError) -> Bool

  var testDescription: String { name }

  init(_ name: String, _ bytes: [UInt8], _ isRefusal: @escaping @Sendable (WeightFileError) -> Bool) {
    (self.name, self.bytes, self.isRefusal) = (name, bytes, isRefusal)
  }

  /// Damage that gives exactly `error`; the file is called "f".
  init(_ name: String, _ bytes: [UInt8], _ error: WeightFileError) {
    self.init(name, bytes) { $0 == error }
  }

  /// Damage to the header's text, whose error has this in its reason.
  init(_ name: String, header: String, dataBytes: Int = 0, reason: String) {
    self.init(name, safetensors(header: header, dataBytes: dataBytes)) {
      if case .badHeader(file: "f", reason: let text) = $0 { text.contains(reason) } else { false }
    }
  }

  static func row(_ name: String, _ dtype: String, _ shape: String, _ begin: Int, _ end: Int) -> String {
    #""\#(name)":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":[\#(begin),\#(end)]}"#
  }

  static func table(_ rows: String...) -> String { "{\(rows.joined(separator: ","))}" }

  static let files: [Corruption] = [
    Corruption("empty", []) {
      if case .notAWeightFile(file: "f", reason: _) = $0 { $0.description.contains("empty") } else { false }
    },
    Corruption("text", Array("Entry not found\n".utf8)) { $0.description.contains("it is text") },
    Corruption("a web page", Array("<!DOCTYPE html><html>".utf8)) { $0.description.contains("it is text") },
    Corruption(
      "a Git LFS pointer", Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n".utf8)
    ) {
      $0.description.contains("git lfs pull")
    },
    Corruption("GGUF", Array("GGUF".utf8) + [3, 0, 0, 0, 1, 0, 0, 0]) { $0.description.contains("GGUF") },
    Corruption("a zipped pickle", [0x50, 0x4B, 3, 4, 0, 0, 8, 8, 0, 0], .pickle(file: "f")),
    Corruption("a bare pickle", [0x80, 2, 0x7D, 0x71, 0, 0x58], .pickle(file: "f")),
    Corruption("three bytes", [1, 2, 3], .file(.truncated(file: "f", needs: 10, has: 3))),
    Corruption("random bytes", (0..<64).map { UInt8(truncatingIfNeeded: $0 &* 97 &+ 13) }) {
      if case .notAWeightFile(file: "f", reason: _) = $0 { true } else { false }
    },
    Corruption(
      "header too long", safetensors(header: "{}", announcing: 12_000_001),
      .headerTooLong(file: "f", bytes: 12_000_001, limit: 12_000_000)),
    Corruption(
      "header longer than any memory", safetensors(header: "{}", announcing: .max),
      .headerTooLong(file: "f", bytes: .max, limit: 12_000_000)),
    Corruption(
      "header longer than the file", safetensors(header: "{}", announcing: 50),
      .file(.truncated(file: "f", needs: 58, has: 10))),
    Corruption("header of no bytes", safetensors(header: "{}", announcing: 0)) {
      if case .badHeader(file: "f", reason: _) = $0 { true } else { false }
    },
    Corruption("header one byte short", safetensors(header: "{ }", announcing: 2)) {
      if case .badHeader(file: "f", reason: _) = $0 { true } else { false }
    },
  ]

  static let tables: [Corruption] = [
    Corruption(
      "begins after it ends", safetensors(header: table(row("a", "U8", "[4]", 4, 0)), dataBytes: 4),
      .badOffsets(file: "f", tensor: "a", begin: 4, end: 0)),
    Corruption(
      "offset beyond any file", safetensors(header: table(row("a", "U8", "[\(Int.max)]", 0, .max))),
      .badOffsets(file: "f", tensor: "a", begin: 0, end: .max)),
    Corruption(
      "too few bytes for the shape", safetensors(header: table(row("a", "F32", "[2]", 0, 4)), dataBytes: 4),
      .sizeMismatch(file: "f", tensor: "a", needs: 8, has: 4)),
    Corruption(
      "too many bytes for the shape", safetensors(header: table(row("a", "F16", "[2]", 0, 8)), dataBytes: 8),
      .sizeMismatch(file: "f", tensor: "a", needs: 4, has: 8)),
    Corruption(
      "shape that overflows", safetensors(header: table(row("a", "U8", "[4294967296,4294967296]", 0, 0))),
      .sizeOverflow(file: "f", tensor: "a", shape: [1 << 32, 1 << 32])),
    Corruption(
      "shape that overflows only by its element",
      safetensors(header: table(row("a", "F32", "[4611686018427387904]", 0, 0))),
      .sizeOverflow(file: "f", tensor: "a", shape: [1 << 62])),
    Corruption(
      "shape that overflows before a zero",
      safetensors(header: table(row("a", "U8", "[\(Int.max),2,0]", 0, 0))),
      .sizeOverflow(file: "f", tensor: "a", shape: [.max, 2, 0])),
    Corruption(
      "overlap",
      safetensors(header: table(row("a", "U8", "[4]", 0, 4), row("b", "U8", "[4]", 2, 6)), dataBytes: 6),
      .overlap(file: "f", tensor: "b", other: "a")),
    Corruption(
      "the same bytes twice",
      safetensors(header: table(row("a", "U8", "[4]", 0, 4), row("b", "U8", "[4]", 0, 4)), dataBytes: 4)
    ) { if case .overlap = $0 { true } else { false } },
    Corruption(
      "an empty tensor inside another",
      safetensors(header: table(row("a", "U8", "[4]", 0, 4), row("b", "U8", "[0]", 2, 2)), dataBytes: 4),
      .overlap(file: "f", tensor: "b", other: "a")),
    Corruption(
      "hole before the first", safetensors(header: table(row("a", "U8", "[4]", 3, 7)), dataBytes: 7),
      .hole(file: "f", before: "a", bytes: 3)),
    Corruption(
      "hole between two",
      safetensors(header: table(row("b", "U8", "[4]", 5, 9), row("a", "U8", "[4]", 0, 4)), dataBytes: 9),
      .hole(file: "f", before: "b", bytes: 1)),
    Corruption(
      "data cut off", safetensors(header: table(row("a", "U8", "[4]", 0, 4)), dataBytes: 3),
      .file(.truncated(file: "f", needs: 65, has: 64))),
    Corruption(
      "bytes after the data", safetensors(header: table(row("a", "U8", "[4]", 0, 4)), dataBytes: 5),
      .trailingBytes(file: "f", bytes: 1)),
    Corruption(
      "bytes and no tensor", safetensors(header: "{}", dataBytes: 2), .trailingBytes(file: "f", bytes: 2)),
    Corruption(
      "unknown element", safetensors(header: table(row("a", "F4", "[4]", 0, 2)), dataBytes: 2),
      .unknownElement(file: "f", tensor: "a", dtype: "F4")),
    Corruption(
      "element in lower case", safetensors(header: table(row("a", "f32", "[1]", 0, 4)), dataBytes: 4),
      .unknownElement(file: "f", tensor: "a", dtype: "f32")),
    Corruption(
      "two tensors of one name",
      safetensors(header: table(row("a", "U8", "[2]", 0, 2), row("a", "U8", "[2]", 2, 4)), dataBytes: 4),
      .duplicateKey(file: "f", key: "a")),
    Corruption(
      "one name in two spellings",
      safetensors(
        header: table(row("a", "U8", "[2]", 0, 2), row(#"\u0061"#, "U8", "[2]", 2, 4)), dataBytes: 4),
      .duplicateKey(file: "f", key: "a")),
    Corruption(
      "two shapes",
      safetensors(header: #"{"a":{"dtype":"U8","shape":[0],"shape":[1],"data_offsets":[0,0]}}"#),
      .duplicateKey(file: "f", key: "shape")),
    Corruption(
      "two notes of one name", safetensors(header: #"{"__metadata__":{"k":"1","k":"2"}}"#),
      .duplicateKey(file: "f", key: "k")),
  ]

  static let headers: [Corruption] = [
    Corruption("no closing brace", header: #"{"a":"#, reason: "expected"),
    Corruption("text behind the table", header: "{}x", reason: "text after the end"),
    Corruption("two tables", header: "{}{}", reason: "text after the end"),
    Corruption("comma at the end", header: #"{"__metadata__":{},}"#, reason: "expected"),
    Corruption("no comma", header: #"{"__metadata__":{}"a":1}"#, reason: "expected \",\""),
    Corruption("no dtype", header: #"{"a":{"shape":[0],"data_offsets":[0,0]}}"#, reason: "lacks dtype"),
    Corruption("no shape", header: #"{"a":{"dtype":"U8","data_offsets":[0,0]}}"#, reason: "lacks dtype"),
    Corruption("no offsets", header: #"{"a":{"dtype":"U8","shape":[0]}}"#, reason: "lacks dtype"),
    Corruption(
      "one offset", header: #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}"#,
      reason: "two data_offsets"),
    Corruption(
      "three offsets", header: #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}"#,
      reason: "two data_offsets"),
    Corruption(
      "unknown property", header: #"{"a":{"dtype":"U8","shape":[0],"data":[0,0]}}"#,
      reason: "unknown property"),
    Corruption("a tensor that is a list", header: #"{"a":[1]}"#, reason: "expected \"{\""),
    Corruption("negative size", header: table(row("a", "U8", "[-1]", 0, 0)), reason: "no whole number"),
    Corruption(
      "size with a fraction", header: table(row("a", "U8", "[1.0]", 0, 1)), reason: "no whole number"),
    Corruption(
      "size with an exponent", header: table(row("a", "U8", "[1e1]", 0, 10)), reason: "no whole number"),
    Corruption(
      "size beyond 64 bits", header: table(row("a", "U8", "[18446744073709551616]", 0, 1)),
      reason: "no whole number"),
    Corruption("size NaN", header: table(row("a", "U8", "[NaN]", 0, 1)), reason: "expected a value"),
    Corruption(
      "size Infinity", header: table(row("a", "U8", "[Infinity]", 0, 1)), reason: "expected a value"),
    Corruption("size null", header: table(row("a", "U8", "[null]", 0, 1)), reason: "expected a value"),
    Corruption("size in quotes", header: table(row("a", "U8", #"["1"]"#, 0, 1)), reason: "expected a value"),
    Corruption(
      "size with a leading zero", header: table(row("a", "U8", "[01]", 0, 1)), reason: "starts with zero"),
    Corruption(
      "comma at the end of a shape", header: table(row("a", "U8", "[1,]", 0, 1)), reason: "a comma before"),
    Corruption("shape that is no list", header: table(row("a", "U8", "1", 0, 1)), reason: "expected \"[\""),
    Corruption(
      "deep nesting", header: #"{"a":"# + String(repeating: "[", count: 100_000), reason: "expected \"{\""),
    Corruption(
      "deep nesting in a shape", header: #"{"a":{"shape":"# + String(repeating: "[", count: 100_000),
      reason: "expected a value"),
    Corruption("a note that is a number", header: #"{"__metadata__":{"a":1}}"#, reason: "expected \"\"\""),
    Corruption("half a surrogate pair", header: #"{"\ud800":1}"#, reason: "surrogate"),
    Corruption("two high surrogates", header: #"{"\ud800\ud800":1}"#, reason: "surrogate"),
    Corruption("low surrogate alone", header: #"{"\udc00":1}"#, reason: "surrogate"),
    Corruption("unknown escape", header: #"{"\x41":1}"#, reason: "unknown escape"),
    Corruption("short escape", header: #"{"\u00"#, reason: "ends inside a string"),
    Corruption("bare control character", header: "{\"a\nb\":1}", reason: "control character"),
    Corruption("string without end", header: #"{"abc"#, reason: "ends inside a string"),
    Corruption(
      "invalid UTF-8", safetensors(header: "{\"aXb\":1}").map { $0 == UInt8(ascii: "X") ? 0xFF : $0 }
    ) {
      if case .badHeader(file: "f", reason: let text) = $0 { text.contains("UTF-8") } else { false }
    },
    Corruption(
      "overlong UTF-8",
      safetensors(header: "{\"XY\":1}").map {
        $0 == UInt8(ascii: "X") ? 0xC0 : $0 == UInt8(ascii: "Y") ? 0x80 : $0
      }
    ) {
      if case .badHeader(file: "f", reason: let text) = $0 { text.contains("UTF-8") } else { false }
    },
    Corruption("a byte order mark", [5, 0, 0, 0, 0, 0, 0, 0, 0xEF, 0xBB, 0xBF] + Array("{}".utf8)) {
      if case .notAWeightFile(file: "f", reason: _) = $0 { true } else { false }
    },
  ]
}
