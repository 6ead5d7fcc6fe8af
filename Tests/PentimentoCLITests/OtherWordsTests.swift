import Foundation
import Testing

@Suite("Words that are nearly right, or another program's", .serialized) struct OtherWordsTests {
  private static let edit = ["edit", "-i", "photo.png", "-p", "a cat", "--method", "sdedit", "--steps", "4"]

  static let refusals: [Refusal] = [
    Refusal("edti", says: "there is no command \"edti\": did you mean edit?"),
    Refusal("help", "edti", says: "there is no command \"edti\": did you mean edit?"),
    Refusal("--hepl", says: "pentimento has no option --hepl: did you mean --help?"),
    Refusal("-i", "photo.png", says: "it is one of 'pentimento edit'"),
    Refusal("edit", "photo.png", "-p", "x", says: "a picture is named with --image"),
    Refusal(
      "edit", "-i", "photo.png", "-p", "x", "-o", "o.png", "--method", "pti", "--preset", "quik",
      says: "did you mean quick? (paper, source or quick)"),
    Refusal("img2img", says: "that is 'pentimento edit'"),
    Refusal("edit", "--promt", "x", says: "edit has no option --promt: did you mean --prompt?"),
    Refusal("generate", "--radius", "3", "-p", "x", "-o", "o.png", says: "'pentimento edit --method drag'"),
    Refusal("generate", "--mask", "m.png", says: "it is one of 'pentimento edit'"),
    Refusal("edit", "--dry-run", says: "it is one of 'pentimento batch'"),
    Refusal(
      "edit", "--sampler", "oed", says: "--sampler cannot be \"oed\": did you mean ode? (ode, sde or lcm)"),
    Refusal("methods", "--for", "color", says: "did you mean colour?"),
    Refusal("methods", "--for", "colour", "drag", says: "--for lists methods"),
    Refusal("edit", "--sampling-method", "euler_a", says: "--sampler ode"),
    Refusal("generate", "--batch-count", "4", says: "'pentimento batch'"),
    Refusal("generate", "-b", "4", says: "list of seeds"),
    Refusal("edit", "--vae-tiling", says: "--max-ram"),
    Refusal("quantize", "--max-vram", "1", says: "--max-ram of 'pentimento edit'"),
    Refusal(
      "edit", "-m", "owner/name", "-i", "photo.png", "-p", "x", "-o", "o.png", status: Status.badModel,
      says: "nothing is downloaded here"),
    Refusal(
      "edit", "-i", "https://a.b/c.png", "-p", "x", "-o", "o.png", status: Status.badPicture,
      says: "nothing is downloaded here"),
    Refusal(
      "plan", "-i", "photo.png", "-p", "x", "-o", "o.png", "--quality", "9", says: "--quality is for a JPEG"),
    Refusal("inspect", "--model", "m", says: "named without one, 'pentimento inspect FILE'"),
    Refusal("edit", "-i", "photo.png", "--seed", "3", "--seed", "4", "-o", "o.png", says: "--seed is given twice"),
    Refusal("edit", "-i", "photo.png", "-p", "x", "--prompt", "y", "-o", "o.png", says: "--prompt is given twice"),
    Refusal("edit", "-W", "64", "-i", "photo.png", "-p", "x", "-o", "o.png", says: "give both, or --size"),
    Refusal(
      "generate", "-p", "a cat <lora:fur:0.8>", "-o", "o.png", says: "--lora fur.safetensors:0.8"),
    Refusal(
      "edit", "-i", "photo.png", "--source-prompt", "<lora:fur>", "-p", "x", "-o", "o.png",
      says: "--lora fur.safetensors"),
    Refusal(
      "edit", "-i", "foto.png", "-p", "x", "-o", "o.png", status: Status.badPicture,
      says: "foto.png does not exist", "did you mean photo.png?"),
    Refusal(
      "edit", "-i", "photo.png", "-p", "x", "-o", "o.png", "--checkpoint", "c", "--seed", "-1",
      says: "--seed -1 draws another seed", "give a number"),
    Refusal("batch", ".", "--out", "o", "--seed", "-1", says: "--seed -1 draws another seed"),
  ]

  @Test("are answered by what was perhaps meant", arguments: refusals)
  func refusal(refusal: Refusal) async throws { try await refusal.check(in: .furnished()) }

  @Test("an option is given twice by any two of its names", arguments: ["edit", "train-lora"])
  func twoNames(command: String) async throws {
    let help = try await Command.run([command, "--help-all"], in: Workplace())
    let needed = command == "edit" ? ["-i", "-p", "-o"] : ["-p", "-o"]
    var (count, words) = (0, [command] + (command == "edit" ? [] : ["photo.png"]))
    for name in needed { words += [name, "1"] }
    for line in help.output.split(separator: "\n") where line.hasPrefix("  -") && line.contains(" <") {
      let names = line.prefix { $0 != "<" }.split { ", ".contains($0) }.map(String.init)
      guard let first = names.first, names.count > 1 else { continue }
      count += 1
      for other in names.dropFirst() {
        let pair = needed.contains(first) ? [other, "1"] : [first, "1", other, "1"]
        try await Refusal(words + pair, says: "is given twice").check(in: .furnished())
      }
    }
    #expect(count > 4, "\(help.output)")
  }

  @Test("a plan takes where the result would go") func planned() async throws {
    let words = ["plan", "-i", "photo.png", "-p", "x", "-o", "o.jpg", "--quality", "90", "--no-metadata"]
    let run = try await Command.run(words, in: .furnished())
    #expect(run.status == Status.done, "\(run.errors)")
  }

  @Test("an angle bracket that is text stays text")
  func brackets() async throws {
    let run = try await Command.run(
      Self.edit.replaced(by: ["-p", "a cat <3 dogs, 1 > 0, <b:c>", "-o", "out.png"]), in: .furnished())
    #expect(run.status == Status.done, "\(run.errors)")
  }

  @Test("names of other programs that mean the same make the same picture")
  func synonyms() async throws {
    let place = try Workplace.furnished()
    func made(_ name: String, _ words: [String]) async throws -> [UInt8] {
      let run = try await Command.run(Self.edit + words + ["-o", name, "--no-metadata"], in: place)
      #expect(run.status == Status.done, "\(words): \(run.errors)")
      return try place.bytes(name)
    }
    let ours = try await made("a.png", ["--size", "128x64", "--strength", "0.5", "--cfg-scale", "3"])
    let theirs = try await made(
      "b.png", ["-W", "128", "-H", "64", "--denoising-strength", "0.5", "--cfg", "3"])
    let other = try await made("c.png", ["--size", "128x64", "--strength", "0.75", "--cfg-scale", "3"])
    #expect(ours == theirs && ours != other)
  }

  @Test("--seed -1 draws a seed, says it, records it, and a replay makes the same picture")
  func drawnSeed() async throws {
    let place = try Workplace.furnished()
    func drawn(_ name: String) async throws -> UInt64 {
      let run = try await Command.run(
        Self.edit + ["--seed", "-1", "-o", name, "--report", "json"], in: place)
      struct Report: Decodable { var seed: UInt64 }
      let seed = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)).seed
      #expect(
        run.errors.contains("seed \(seed) was drawn: --seed \(seed) makes the same again"), "\(run.errors)")
      return seed
    }
    let (first, second) = try await (drawn("a.png"), drawn("b.png"))
    // One time in 2³² they are the same.
    #expect(first != second)
    for words in [["--params-from", "a.png"], Array(Self.edit.dropFirst()) + ["--seed", "\(first)"]] {
      let run = try await Command.run(["edit"] + words + ["-o", "c.png"], in: place)
      #expect(run.status == Status.done, "\(run.errors)")
      #expect(try place.bytes("c.png") == place.bytes("a.png"))
    }
    // Given words go before recorded ones, a drawn seed too.
    let again = try await Command.run(
      ["edit", "--params-from", "a.png", "--seed", "-1", "-W", "128", "-H", "128", "-o", "d.png"], in: place)
    #expect(again.status == Status.done && again.errors.contains("was drawn"), "\(again.errors)")
    #expect(again.errors.contains(", 128×"), "\(again.errors)")
  }
}
