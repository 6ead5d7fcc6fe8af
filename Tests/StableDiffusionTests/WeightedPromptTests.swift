import Foundation
import StableDiffusion
import Testing

private let package = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().appending(path: "../..").standardizedFileURL

extension WeightedPrompt {
  /// Parts as texts and weights, rounded to nine decimals; "BREAK" with 0 for the end of a context.
  fileprivate var rounded: [Pair] {
    parts.map { part in
      switch part {
      case .text(let text, let weight): Pair(text, (weight * 1e9).rounded() / 1e9)
      case .contextEnd: Pair("BREAK", 0)
      }
    }
  }
}

private struct Pair: Equatable {
  let text: String
  let weight: Double
  init(_ text: String, _ weight: Double) { (self.text, self.weight) = (text, weight) }
}

@Suite("A weighted prompt") struct WeightedPromptTests {
  private func parts(_ prompt: String) -> [Pair] { WeightedPrompt(parsing: prompt).rounded }

  /// The examples in the documentation of `parse_prompt_attention`.
  @Test("is read as A1111 documents it") func documented() {
    #expect(parts("normal text") == [Pair("normal text", 1)])
    #expect(parts("an (important) word") == [Pair("an ", 1), Pair("important", 1.1), Pair(" word", 1)])
    #expect(parts("(unbalanced") == [Pair("unbalanced", 1.1)])
    #expect(parts(#"\(literal\]"#) == [Pair("(literal]", 1)])
    #expect(parts("(unnecessary)(parens)") == [Pair("unnecessaryparens", 1.1)])
    #expect(
      parts("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).") == [
        Pair("a ", 1), Pair("house", 1.573), Pair(" ", 1.1), Pair("on", 1), Pair(" a ", 1.1),
        Pair("hill", 0.55), Pair(", sun, ", 1.1), Pair("sky", 1.4641), Pair(".", 1.1),
      ])
    #expect(parts("") == [])
  }

  @Test("takes for text what closes nothing, and for a number only what is one") func oddities() {
    #expect(parts("a) b] c:1.3)") == [Pair("a) b] c:1.3)", 1)])
    #expect(parts("(a: 1.3)") == [Pair("a: 1.3", 1.1)])
    #expect(parts("(a:1.2.3)") == [Pair("a:1.2.3", 1.1)])
    #expect(parts("(a:.)(b:-)") == [Pair("a:.b:-", 1.1)])
    #expect(parts("(a:.5)(b:2.)(c:+3)(d:-1)") == [Pair("a", 0.5), Pair("b", 2), Pair("c", 3), Pair("d", -1)])
    #expect(parts("[a:1.5]") == [Pair("a:1.5", 0.909090909)])
    #expect(parts("[(a]:2) b") == [Pair("a", 1.818181818), Pair(" b", 1)])
    #expect(parts(#"a\b \\ c\"#) == [Pair(#"ab \ c"#, 1)])
    #expect(parts("(a:1)b") == [Pair("ab", 1)])
    #expect(parts("([(])") == [])
  }

  @Test("ends a context at the word BREAK alone, inside brackets too") func breaks() {
    #expect(parts("a \n BREAK  b") == [Pair("a", 1), Pair("BREAK", 0), Pair("b", 1)])
    #expect(parts("BREAKFAST BREAK_ 1BREAK break") == [Pair("BREAKFAST BREAK_ 1BREAK break", 1)])
    #expect(parts("(a BREAK b:2)") == [Pair("a", 2), Pair("BREAK", 0), Pair("b", 2)])
    #expect(parts("BREAK BREAK") == [Pair("BREAK", 0), Pair("BREAK", 0)])
    #expect(parts("a,BREAK:b") == [Pair("a,", 1), Pair("BREAK", 0), Pair(":b", 1)])
  }

  @Test("is told from an ordinary sentence by numbers, doubled brackets and BREAK") func intention() {
    for text in ["(a:1.2)", "((a))", "[[a]]", "a BREAK b"] {
      #expect(WeightedPrompt(parsing: text).looksIntended, "\(text)")
    }
    for text in ["a photo (1999) of [x]", "4:3", #"\((a)"#, "a:b)", ""] {
      #expect(!WeightedPrompt(parsing: text).looksIntended, "\(text)")
    }
  }

  @Test("names a weight that is too much, the product of nested ones too") func excess() {
    #expect(WeightedPrompt(parsing: "(a:100) (b:-100)").excess == nil)
    #expect(WeightedPrompt(parsing: "x ((a:50):3)").excess?.text == "a")
    let endless = WeightedPrompt(parsing: "(a:\(String(repeating: "9", count: 400)))")
    #expect(endless.excess?.text == "a")
  }

  @Test("of a million brackets is read in linear time") func deep() {
    // A product over all that surround each would be 10¹¹ steps.
    let start = ContinuousClock.now
    let parts = WeightedPrompt(parsing: String(repeating: "(a", count: 300_000)).parts
    let more = WeightedPrompt(parsing: String(repeating: "\\(", count: 300_000)).parts
    #expect(parts.count > 1000 && more.count == 1)
    #expect(ContinuousClock.now - start < .seconds(20))
  }
}

@Suite("A prompt in chunks") struct PromptChunksTests {
  private let tokenizer: Tokenizer

  init() throws {
    tokenizer = try Tokenizer(merges: Data(contentsOf: package.appending(path: "Weights/clip/merges.txt")))
  }

  private func chunks(_ prompt: String, _ length: Int = 7) -> [PromptChunk] {
    tokenizer.chunks(WeightedPrompt(parsing: prompt), maxLength: length)
  }

  @Test("has the plain one's ids, all weights 1, where nothing is weighted and all of it fits") func plain()
    throws
  {
    let file = package.appending(path: "Tests/Fixtures/Tokenizer/scripts.json")
    let samples = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [[Any]])
    #expect(samples.count == 1000)
    for sample in samples {
      let text = try #require(sample[0] as? String)
      var escaped = String.UnicodeScalarView()
      for scalar in text.unicodeScalars {
        if "()[]\\".unicodeScalars.contains(scalar) { escaped.append("\\") }
        escaped.append(scalar)
      }
      let plain = tokenizer.encode(text, maxLength: 77)
      let chunks = chunks(String(escaped), 77)
      if plain.removed == nil { #expect(chunks == [PromptChunk(plain)], "\(text)") }
      #expect(chunks[0].ids == plain.ids, "\(text)")
    }
  }

  @Test("has as many tokens in each as fit, their weights beside them") func split() {
    // a photo of a cat: 320 1125 539 320 2368
    let one = chunks("a (photo:2) of a cat")
    #expect(
      one == [
        PromptChunk(
          ids: [49406, 320, 1125, 539, 320, 2368, 49407], weights: [1, 1, 2, 1, 1, 1, 1], tokenCount: 5)
      ])
    let two = chunks("a photo of a (cat cat:0.5)")
    #expect(two.map(\.tokenCount) == [5, 1])
    #expect(two[0].weights == [1, 1, 1, 1, 1, 0.5, 1] && two[1].weights == [1, 0.5, 1, 1, 1, 1, 1])
    #expect(two[1].ids == [49406, 2368, 49407, 49407, 49407, 49407, 49407])
    #expect(chunks(String(repeating: "cat ", count: 26)).map(\.tokenCount) == [5, 5, 5, 5, 5, 1])
  }

  @Test("begins another at BREAK, and none behind the last word") func breaks() {
    #expect(chunks("").map(\.tokenCount) == [0])
    #expect(chunks("BREAK").map(\.tokenCount) == [0])
    #expect(chunks("cat BREAK").map(\.tokenCount) == [1])
    #expect(chunks("BREAK cat").map(\.tokenCount) == [0, 1])
    #expect(chunks("a cat BREAK BREAK cat").map(\.tokenCount) == [2, 0, 1])
    // A context that is full is not ended twice.
    #expect(chunks("a photo of a cat BREAK cat").map(\.tokenCount) == [5, 1])
    #expect(chunks("").first == tokenizer.emptyChunk(maxLength: 7))
  }
}
