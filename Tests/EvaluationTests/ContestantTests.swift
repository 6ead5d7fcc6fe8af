import Editing
import Evaluation
import Foundation
import ImageFiles
import Pentimento
import Tensors
import Testing

@Suite("Contestant") struct ContestantTests {
  @Test("is a method with settings, and its label says which")
  func parses() throws {
    var contestant = try Contestant(parsing: "diffedit:sampler=sde:steps=20")
    try contestant.set("strength=0.5")
    #expect(contestant.method == "diffedit")
    #expect(
      contestant.settings == ["sampler": .word("sde"), "steps": .number(20), "strength": .number(0.5)])
    #expect(contestant.label == "diffedit-sde-steps20-strength0.5")
  }

  @Test(
    "is refused by the part that is wrong", arguments: ["sdedit:steps", "sdedit:stepz=3", "sdedit:steps="])
  func refuses(text: String) {
    let part = String(text.dropFirst("sdedit:".count))
    #expect(throws: EvaluationError.contestant(text, reason: "\"\(part)\" is no SETTING=VALUE")) {
      try Contestant(parsing: text)
    }
  }

  @Test("drags what moves, paints where objects come and go, and follows prompts elsewhere")
  func suits() throws {
    let pairs = try EditPair.read(folder: examples)
    func kinds(_ method: String, _ kinds: [String] = []) throws -> Set<String> {
      let contestant = try Contestant(parsing: method)
      return Set(try pairs.filter { try contestant.suits($0, kinds: kinds) }.map(\.kind))
    }
    #expect(try kinds("drag") == ["move"])
    #expect(try kinds("inpaint") == ["add", "remove", "replace"])
    #expect(try kinds("dds") == ["colour", "shape", "ground", "sky"])
    #expect(try kinds("dds", ["move", "add"]) == ["move", "add"])
    #expect(try kinds("drag", ["move", "add"]) == ["move"])
    #expect(try kinds("generate").isEmpty)
  }

  @Test("covers every method that edits a picture")
  func coverage() throws {
    let methods = Set(try Contestant.all.map { try Contestant(parsing: $0).method })
    // A translator is made for its pictures: it comes as a contestant with a file.
    let editing = EditMethods.all.filter {
      $0.about.needs.contains(.image) && !$0.about.needs.contains(.translator)
    }.names
    #expect(methods == Set(editing))
  }
}

/// `Examples/pairs` of the package.
let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .appending(path: "../../Examples/pairs").standardizedFileURL.path

@Suite("Edit pairs") struct EditPairTests {
  @Test("bring pictures of one size, and a mask outside which nothing changes")
  func committed() throws {
    let pairs = try EditPair.read(folder: examples)
    #expect(pairs.count >= 16)
    for pair in pairs {
      #expect(pair.source.width == 256 && pair.source.height == 256, "\(pair.name)")
      // A shadow may reach a little beyond the mask; the edit itself may not.
      let (inside, outside) = (
        pair.source.meanSquaredError(to: pair.truth, .inside, of: pair.mask) ?? 0,
        pair.source.meanSquaredError(to: pair.truth, .outside, of: pair.mask) ?? 0
      )
      #expect(inside > 20 * outside, "\(pair.name): \(inside) inside, \(outside) outside")
    }
  }

  @Test("are refused by folder where there is no list")
  func missing() {
    #expect(throws: EvaluationError.pairs(folder: "/no/such")) { try EditPair.read(folder: "/no/such") }
  }
}
