import JSON
import Testing

@Suite("JSON") struct JSONTests {
  private func parse(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: Array(text.utf8), file: "f.json")
  }

  @Test("has every kind of value")
  func kinds() throws {
    let text =
      " {\"a\": [1, -2.5, 1e3, true, false, null, \"x\\n\\u00e9\\ud83d\\ude42\\/\"], \"b\": {}, \"c\": []}\n"
    #expect(
      try parse(text)
        == .object([
          "a": .array([
            .integer(1), .real(-2.5), .real(1000), .bool(true), .bool(false), .null, .string("x\né🙂/"),
          ]), "b": .object([:]), "c": .array([]),
        ]))
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("9223372036854775808") == .real(9_223_372_036_854_775_808))
  }

  @Test(
    "is refused by position where it breaks the rules",
    arguments: [
      "", " ", "{", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{a:1}", "{'a':1}", "{\"a\" 1}", "tru", "nul",
      "NaN", "-",
      "-Infinity", "01", "1.", ".5", "1e", "+1", "1e999", "\"", "\"\\", "// x", "[1]]", "\"\t\"",
      "\u{FEFF}{}",
    ])
  func refused(text: String) {
    do {
      let value = try parse(text)
      Issue.record("was read as \(value)")
    } catch ConfigurationError.badJSON(file: "f.json", let reason) {
      #expect(reason.contains(" at byte "))
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test("names a key that stands twice")
  func twice() {
    #expect(throws: ConfigurationError.duplicateKey(file: "f.json", key: "a")) {
      try parse(#"{"b": {"a": 1, "a": 1}}"#)
    }
  }

  @Test("may be nested 64 deep and no deeper")
  func deep() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try parse(nested(64))
    #expect(throws: ConfigurationError.badJSON(file: "f.json", reason: "nested more than 64 deep at byte 65"))
    {
      try parse(nested(65))
    }
    #expect(throws: ConfigurationError.self) { try parse(String(repeating: "{\"a\":", count: 1_000_000)) }
  }
}

extension JSONTests {
  @Test("keeps the members of an object in the order written") func order() throws {
    let keys = (0..<200).map { "k\($0 * 7919 % 1000)" }
    let text = keys.map { "\"\($0)\": \($0.dropFirst())" }.joined(separator: ", ")
    guard case .object(let members) = try parse("{\(text)}") else {
      Issue.record("no object")
      return
    }
    #expect(members.keys == keys)
    #expect(keys.allSatisfy { members[$0] == .integer(Int($0.dropFirst())!) })
  }

  @Test("of more values than any model has is refused") func many() {
    let text = "[" + String(repeating: "0,", count: 400_000) + "0]"
    #expect(throws: ConfigurationError.self) { try parse(text) }
  }

  @Test("of sizes has no more than any shape") func sizes() throws {
    func sizes(_ count: Int) throws -> [Int] {
      var scanner = JSONScanner(
        Array("[\((0..<count).map(String.init).joined(separator: ","))]".utf8))
      return try scanner.sizes()
    }
    #expect(try sizes(16).count == 16)
    #expect(throws: JSONError.self) { try sizes(17) }
  }
}

@Suite("Configuration value") struct ConfigValueTests {
  private func config(_ text: String) throws -> ConfigValue {
    ConfigValue(
      file: "unet/config.json", value: try JSONValue(parsing: Array(text.utf8), file: "unet/config.json"))
  }

  @Test("is read as what it is")
  func reads() throws {
    let c = try config(
      #"{"n": 8, "eps": 1e-5, "heads": [5, 10], "act": "silu", "on": true, "types": ["A"], "nil": null}"#)
    #expect(try c["n"].integer() == 8 && c["n"].real() == 8 && c["n"].integers() == [8])
    #expect(try c["eps"].real() == 1e-5 && c["heads"].integers() == [5, 10])
    #expect(
      try c["act"].string() == "silu" && c["act"].strings() == ["silu"] && c["types"].strings() == ["A"])
    #expect(try c["on"].bool())
    #expect(!c["nil"].isPresent && !c["other"].isPresent && !c["n"]["inside"].isPresent)
    #expect(c.keys == ["n", "eps", "heads", "act", "on", "types", "nil"])
  }

  @Test("says file, key, what was expected and what was found")
  func wrong() throws {
    let c = try config(#"{"attention_head_dim": "8", "a": {"b": [1, [2]]}, "scale": true, "n": 1.5}"#)
    func message(_ body: () throws(ConfigurationError) -> Void) -> String? {
      do { try body() } catch { return error.description }
      return nil
    }
    let next = "; use the configuration published with the weights"
    #expect(
      message { () throws(ConfigurationError) in _ = try c["attention_head_dim"].integers() }
        == "unet/config.json: attention_head_dim: expected integer or list of integers, found string \"8\"\(next)"
    )
    #expect(
      message { () throws(ConfigurationError) in _ = try c["a"]["b"].integers() }
        == "unet/config.json: a.b[1]: expected integer, found list\(next)")
    #expect(
      message { () throws(ConfigurationError) in _ = try c["scale"].real() }
        == "unet/config.json: scale: expected number, found true\(next)")
    #expect(
      message { () throws(ConfigurationError) in _ = try c["n"].integer() }
        == "unet/config.json: n: expected integer, found number 1.5\(next)")
    #expect(throws: ConfigurationError.missingKey(file: "unet/config.json", key: "a.c")) {
      try c["a"]["c"].string()
    }
  }
}
