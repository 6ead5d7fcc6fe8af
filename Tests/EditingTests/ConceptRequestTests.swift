import Editing
import Testing

@Suite("A concept as it is written") struct ConceptRequestTests {
  @Test("has its options behind the last colon that is in no bracket") func colons() throws {
    let weighted = try ConceptRequest(parsing: "+(snow:1.3)")
    #expect(weighted.text == "(snow:1.3)" && weighted.scale == nil && weighted.direction == .add)
    let both = try ConceptRequest(parsing: "-a (snow:1.3) b:7,threshold=0.9")
    #expect(both.text == "a (snow:1.3) b" && both.scale == 7 && both.threshold == 0.9)
    #expect(both.direction == .remove)
    let open = try ConceptRequest(parsing: "a (snow:7")
    #expect(open.text == "a (snow" && open.scale == 7)
    #expect(throws: EditError.self) { try ConceptRequest(parsing: "a) snow:1.3)") }
  }

  @Test(
    "is read again as it was",
    arguments: ["+(snow:1.3)", "-a: b:4", "+snow:style,threshold=0.5", "+(a:1.2) b:7"])
  func again(written: String) throws {
    let concept = try ConceptRequest(parsing: written)
    let read = try ConceptRequest(parsing: concept.written)
    #expect(read.text == concept.text && read.scale == concept.scale && read.preset == concept.preset)
    #expect(read.direction == concept.direction && read.threshold == concept.threshold)
    #expect(read.written == concept.written)
  }
}
