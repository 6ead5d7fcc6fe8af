import Foundation
import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite("The result of an edit", .serialized) struct ResultTests {
  private static let edit = ["edit", "-i", "photo.png", "-p", "a red ball", "--steps", "3"]

  @Test("is the same file for one thread, two threads, and again")
  func deterministic() async throws {
    let place = try Workplace.furnished()
    for (name, threads) in [("one.png", "1"), ("two.png", "2"), ("again.png", "2"), ("three.png", "3")] {
      let run = try await Command.run(
        Self.edit + ["-t", threads, "-o", name], in: place, model: Command.embeddedModel)
      #expect(run.exited && run.status == Status.done, "\(run.errors)")
      #expect(run.output == name + "\n")
    }
    let one = try place.bytes("one.png")
    for name in ["two.png", "again.png", "three.png"] { #expect(try place.bytes(name) == one, "\(name)") }
    let other = try await Command.run(
      Self.edit + ["--seed", "43", "-o", "other.png"], in: place, model: Command.embeddedModel)
    #expect(try other.status == Status.done && place.bytes("other.png") != one)
  }

  @Test(
    "has the size of the photo and carries no date",
    arguments: [(131, 77), (64, 64), (65, 300), (640, 70)])
  func size(width: Int, height: Int) async throws {
    let place = try Workplace()
    try place.addPicture("photo.png", width: width, height: height)
    for name in ["out.png", "out.ppm"] {
      let run = try await Command.run(Self.edit + ["--size", "96", "-o", name], in: place)
      #expect(run.exited && run.status == Status.done, "\(run.errors)")
      let result = try PictureFile.read(place.path(name))
      #expect(result.width == width && result.height == height)
    }
    let types = chunks(of: try place.bytes("out.png")).map(\.type)
    #expect(types.first == "IHDR" && types.last == "IEND")
    #expect(Set(types).isSubset(of: ["IHDR", "IDAT", "IEND", "tEXt", "zTXt", "iTXt"]), "\(types)")
    let year = Calendar(identifier: .gregorian).component(.year, from: Date())
    #expect(Data(try place.bytes("out.png")).range(of: Data("\(year)-".utf8)) == nil)
    #expect(try place.contents == ["out.png", "out.ppm", "photo.png"])
  }

  @Test("is made of every kind of PNG", arguments: PNGBuilder.Color.allCases)
  func kinds(color: PNGBuilder.Color) async throws {
    for depth in color.depths {
      let place = try Workplace()
      let top = 1 << depth
      var png = PNGBuilder(width: 71, height: 66, color: color, depth: depth) { x, y, c in
        (x * 5 + y * 3 + c * 40) * top / 1024 % top
      }
      if color == .palette {
        png.ancillary = [("PLTE", (0..<min(top, 256)).flatMap { [UInt8($0), UInt8(255 - $0), 90] })]
      }
      try place.add("photo.png", png.bytes)
      let run = try await Command.run(Self.edit + ["-o", "out.png"], in: place)
      #expect(run.exited && run.status == Status.done, "\(color) \(depth): \(run.errors)")
      let result = try PictureFile.read(place.path("out.png"))
      #expect(result.width == 71 && result.height == 66)
    }
  }

  @Test("says how it was made, unless that is not wanted")
  func metadata() async throws {
    let place = try Workplace.furnished()
    _ = try await Command.run(
      ["edit", "-i", "photo.png", "-p", "grün 球", "--steps", "3", "-o", "with.png"], in: place)
    _ = try await Command.run(
      ["edit", "-i", "photo.png", "-p", "grün 球", "--steps", "3", "-o", "without.png", "--no-metadata"],
      in: place)
    func text(_ name: String) throws -> String {
      chunks(of: try place.bytes(name)).filter { $0.type.hasSuffix("Xt") }
        .map { String(decoding: $0.data, as: UTF8.self) }.joined()
    }
    let with = try text("with.png")
    #expect(with.contains("grün 球\nSteps: 3, ") && with.contains("Seed: 42") && with.contains("\"steps\": 3"))
    #expect(try text("without.png") == "")
    #expect(try PictureFile.read(place.path("with.png")) == PictureFile.read(place.path("without.png")))
  }

  @Test("comes with a warning that names what a long prompt lost")
  func longPrompt() async throws {
    let place = try Workplace.furnished()
    let words = (1...100).map { "word\($0)" }.joined(separator: " ")
    let run = try await Command.run(
      ["edit", "-i", "photo.png", "-p", words, "--steps", "2", "-o", "out.png"], in: place)
    #expect(run.status == Status.done && place.exists("out.png"))
    #expect(run.complaints.count == 1)
    #expect(
      run.errors.contains("longer than the model reads; left out: \"") && run.errors.contains("word100\""))
    #expect(run.errors.contains("; --prompt-syntax weighted reads all of it"))
    let whole = try await Command.run(
      [
        "edit", "-i", "photo.png", "-p", words, "--prompt-syntax", "weighted", "--steps", "2", "-o",
        "all.png",
      ],
      in: place)
    #expect(whole.status == Status.done && whole.complaints.isEmpty, "\(whole.errors)")
    #expect(try place.bytes("all.png") != place.bytes("out.png"))
  }

  @Test("comes with one sentence where a prompt means weights and is read as plain text")
  func weightsAsText() async throws {
    let place = try Workplace.furnished()
    for prompt in ["a (ball:1.3)", "a ball BREAK snow"] {
      let run = try await Command.run(
        ["edit", "-i", "photo.png", "-p", prompt, "--steps", "2", "--method", "sdedit", "-o", "out.png"],
        in: place)
      func told(_ run: Command.Run) -> Int { run.complaints.count { $0.contains("prompt-syntax weighted") } }
      #expect(run.status == Status.done && told(run) == 1, "\(run.errors)")
      let weighted = try await Command.run(
        [
          "edit", "-i", "photo.png", "-p", prompt, "--prompt-syntax", "weighted", "--steps", "2", "--method",
          "sdedit", "-o", "weighted.png",
        ], in: place)
      #expect(weighted.status == Status.done && told(weighted) == 0, "\(weighted.errors)")
    }
  }

  @Test("is reported in full: evaluations done are those planned")
  func report() async throws {
    struct Report: Decodable {
      var method: String, plannedEvaluations: Int, evaluations: Int, seed: UInt64, width: Int, height: Int
      var parameters: [String: Value], settingsFrom: [String: String]
      var plannedPeakBytes: Int, peakBytes: Int
    }
    let place = try Workplace.furnished()
    let run = try await Command.run(
      Self.edit + ["--source-prompt", "a cube", "--seed", "7", "--report", "json", "-o", "out.png"], in: place
    )
    #expect(run.status == Status.done, "\(run.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
    // Three levels, of which ⌊0.36·3⌋ = 1 is skipped: 2·(2 + 2).
    #expect(report.method == "ddpm-inversion" && report.seed == 7)
    #expect(report.evaluations == 8 && report.plannedEvaluations == 8)
    #expect(report.parameters["steps"] == 3 && report.settingsFrom == ["steps": "caller"])
    #expect(report.width % 64 == 0 && report.height % 64 == 0 && report.peakBytes > 0)
  }

  /// The kernel's own figure for the process. 8 MB are allowed for what a plan cannot know: pages of the program that
  /// are touched late, blocks that the allocator keeps.
  @Test(
    "takes the memory that was planned",
    arguments: [
      ["--source-prompt", "a cube", "--method", "ddpm-inversion"], ["--method", "sdedit"],
      ["--method", "sdedit", "--size", "64"],
    ])
  func memory(options: [String]) async throws {
    struct Report: Decodable { var plannedPeakBytes: Int, peakBytes: Int }
    let place = try Workplace()
    try place.addPicture("photo.png", width: 2000, height: 1500)
    let run = try await Command.run(
      Self.edit + options + ["--report", "json", "-o", "out.png"], in: place, model: Command.embeddedModel)
    #expect(run.status == Status.done, "\(run.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
    #expect(
      abs(report.plannedPeakBytes - report.peakBytes) < 8_000_000,
      "planned \(report.plannedPeakBytes), measured \(report.peakBytes)")
  }
}
