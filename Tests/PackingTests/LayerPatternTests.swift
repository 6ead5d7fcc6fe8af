import Packing
import Testing

@Suite("Pattern of a LoRA's layers") struct LayerPatternTests {
  private static let path = "down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q"

  /// What Python says to `re.match(rf"(.*\.)?({pattern})$", path)`.
  static let cases: [(pattern: String, path: String, fits: Bool)] = [
    ("to_q", path, true), ("attn1.to_q", path, true), ("ttn1.to_q", path, false), ("to_k", path, false),
    (path, path, true), ("x." + path, path, false), ("attn1", path, false), ("attn..to_q", path, true),
    ("0.attn1.to_q", path, true), ("to_.", path, true), ("", "a.", true), ("", "a", false), ("", "", true),
    (#"attn1\.to_q"#, path, true), (#"attn1\.to_[qkv]"#, path, true), (#"attn1\.to_[^kv]"#, path, true),
    (#"attn\d\.to_q"#, path, true), (#"attn\D\.to_q"#, path, false), ("attn[0-9]+.to_q", path, true),
    ("to_q|to_k", path, true), ("to_k|to_v", path, false), ("(attn1|attn2).(to_q|to_k)", path, true),
    (#"down_blocks\..*\.to_q"#, path, true), (#"up_blocks\..*\.to_q"#, path, false),
    (#"^down_blocks\.0\..*"#, path, true), (#"^attn1\.to_q"#, path, false), ("to_q$", path, true),
    (#"down_blocks.[01].attentions.\d.transformer_blocks.\d+.attn1.to_(q|k|v)"#, path, true),
    (#".*"#, path, true), (#".*attn2.*"#, path, false), (#"(?:attn1)\.(?P<what>to_\w)"#, path, true),
    (#"blocks\.0\.attn1\.to_q"#, path, false), (#"transformer_blocks\.0{1,2}\.attn1\.to_q"#, path, true),
    (#"transformer_blocks\.0{2,3}\.attn1\.to_q"#, path, false), ("a{2}", "aa", true),
    ("a{2}", "a.aaa", false),
    ("a{,2}", "aa", true), ("a{,2}b", "aaab", false), ("a{2,}", "aaaa", true), ("a{2,}", "a", false),
    ("a{x}", "a{x}", true), ("a*?b", "aaab", true), ("[]a]", "]", true), ("[a-]", "-", true),
    (#"[\d.]+"#, "1.5", true), (#"(a|b)*c"#, "ababc", true), (#"(a|b)*c"#, "abadc", false),
    (#"\Aa\Z"#, "a", true), (#"\Aa\Z"#, "b.a", false), ("a?b?c?", "ac", true), ("a+", "b.aaa", true),
    ("(a*)*b", "aaab", true), ("()*a", "a", true), ("Ä", "b.Ä", true),
  ]

  @Test("fits the end of a path as Python's does", arguments: cases)
  func fits(pattern: String, path: String, fits: Bool) throws {
    #expect(try LayerPattern(pattern).matches(path) == fits)
  }

  @Test(
    "is refused where it needs more than a list of states, or is none",
    arguments: [
      "(?=a)", "(?!a)", "(?<=a)b", #"(a)\1"#, "(?P=a)", "(a", "a)", "[a", "*a", "a**", #"a\"#, #"\bq"#,
      "a{1001}", "(a{100}){100}", "[z-a]",
    ])
  func refused(pattern: String) {
    #expect(throws: PatternError.self) { try LayerPattern(pattern) }
  }

  @Test(
    "takes no time that its length does not explain",
    arguments: ["(a+)+$", "(a|a)*b", "(a|aa)+c", "((a*)*)*b", "(.*a){20}", "a?a?a?a?a?a?a?a?a?a?aaaaaaaaaab"])
  func hostile(pattern: String) throws {
    let path = String(repeating: "a", count: 200) + "x"
    let clock = ContinuousClock.now
    let compiled = try LayerPattern(pattern)
    for _ in 0..<100 { #expect(!compiled.matches(path)) }
    #expect(ContinuousClock.now - clock < .seconds(5))
  }
}
