import Foundation
import ImageFiles
import Testing

@Suite("Every method, from the command line", .serialized) struct MethodRunTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var method: String
    var arguments: [String]
    var evaluations: Int

    init(_ method: String, _ evaluations: Int, _ arguments: String...) {
      (self.method, self.evaluations, self.arguments) = (method, evaluations, arguments)
    }

    var testDescription: String { ([method] + arguments).joined(separator: " ") }
  }

  private static let source = ["--source-prompt", "a red cube on grass"]

  /// With four steps; evaluations as methods.md's table counts them. The embedded model's guidance is 3, for the
  /// source 1.
  static let cases: [Case] = [
    // ⌊0.2·4⌋ = 0 levels are skipped: 4 of inversion, 4·2 of the edit.
    Case("ddpm-inversion", 12, "-p", "a red ball on grass"),
    Case("ddpm-inversion", 6, "-p", "a red ball on grass", "--skip", "0.5"),
    Case("ledits", 12, "--concept", "+ball", "--concept-warmup", "0"),
    Case("ledits", 16, "--concept", "+snow:7", "--concept", "-glasses:5,warmup=0"),
    Case("ledits", 16, "-p", "a red ball on grass", "--concept", "+snow:style"),
    Case("ledits++", 16, "--concept", "+ball", "--concept", "-cube", "--mask-mode", "noise"),
    Case("ledits++", 16, "--concept", "+ball", "--concept", "-cube", "--mask-mode", "intersect"),
    Case("dds", 16, "-p", "a red ball on grass", "--source-prompt", "a red cube on grass"),
    Case("dds", 16, "-p", "a red ball on grass", "--source-prompt", "", "--mask", "mask.png"),
    Case("sds", 8, "-p", "a red ball on grass"),
    Case("pds", 16, "-p", "a red ball on grass", "--source-prompt", "a red cube on grass"),
    // 4 + 4·2, the first step's shared.
    Case("turbo-edit", 11, "-p", "a red ball on grass", "--source-prompt", "a red cube on grass"),
    Case("npi", 12, "-p", "a red ball on grass", "--source-prompt", "a red cube on grass"),
    Case(
      "npi", 8, "-p", "a red ball on grass", "--source-prompt", "", "--prox", "none", "--cfg-scale", "1"),
    Case("ddpm-inversion", 12, "-p", "a red ball on grass", "--solver", "dpm2"),
    // ⌊0.75·4⌋ = 3 steps, the source at weight 1.
    Case("infedit", 9, "-p", "a red ball on grass", "--source-prompt", "a red cube on grass"),
    Case(
      "infedit", 12, "-p", "a red ball on grass", "--source-prompt", "a red cube on grass", "--start",
      "noise",
      "--strength", "1"),
    // ⌊0.8·4⌋ = 3 levels.
    Case("sdedit", 6, "-p", "a red ball on grass"),
    Case("sdedit", 6, "-p", "a red ball on grass", "--sampler", "ode", "--strength", "0.75"),
    Case("inpaint", 8, "-p", "a red ball on grass", "--mask", "mask.png"),
    Case("inpaint", 8, "-p", "a red ball on grass", "--mask", "mask.png", "--order", "2", "--sampler", "ode"),
  ]

  struct Report: Decodable {
    var method: String, plannedEvaluations: Int, evaluations: Int, warnings: [String], mask: String?
    var parameters: [String: Value], settingsFrom: [String: String], stepFactor: Double?
  }

  @Test("runs as planned and answers with a picture of the photo's size", arguments: cases)
  func runs(example: Case) async throws {
    let report = try await Self.report(["--method", example.method] + example.arguments)
    #expect(report.method == example.method)
    #expect(report.plannedEvaluations == example.evaluations && report.evaluations == example.evaluations)
  }

  @Test("reports what each concept was told, its preset and the rest of the defaults")
  func concepts() async throws {
    let report = try await Self.report(
      [
        "--concept", "+snow:7,warmup=1,cooldown=3,threshold=0.5,weight=2", "--concept", "-fog:style",
        "--concept",
        "+smile:face", "--concept", "hat:object,scale=6", "--concept", "-rain:-3", "--concept", "+sun",
      ], model: Command.smallModel)
    #expect(report.method == "ledits")
    let expected: [String: Value] = [
      "concept-scale": [7, 8, 5, 6, -3, 7], "concept-warmup": [1, 2, 2, 5, 2, 2],
      "concept-cooldown": [3, "never", "never", "never", "never", "never"],
      "concept-threshold": [0.5, 0.92, 0.95, 0.95, 0.95, 0.95],
      "concept-weight": [2, 1, 1, 1, 1, 1], "momentum-scale": 0.3, "momentum-beta": 0.6,
    ]
    for (name, value) in expected { #expect(report.parameters[name] == value, "\(name)") }
  }

  @Test("reports whose every setting was, and the step that a gradient makes")
  func sources() async throws {
    let report = try await Self.report(
      ["--method", "dds", "-p", "a ball", "--source-prompt", "a cube", "--cfg-scale", "4"])
    #expect(report.settingsFrom == ["steps": "caller", "cfg-scale": "caller", "learning-rate": "model"])
    #expect(report.parameters["loss-scale"] == "2000·h·w/4096" && report.parameters["guidance"] == 4)
    #expect(report.stepFactor == 0.4 * 2000 / 4096)
    #expect(try await Self.report(["-p", "a ball"]).stepFactor == nil)
  }

  @Test("DiffEdit's ODE can blend and point away as the public implementations do")
  func diffEditFlags() async throws {
    let ode = [
      "--method", "diffedit", "-p", "a red ball on grass", "--mask", "mask.png", "--sampler", "ode",
    ]
    let report = try await Self.report(
      ode + Self.source + ["--reference-blend", "--no-source-as-negative"], model: Command.smallModel)
    #expect(
      report.parameters["reference-blend"] == true && report.parameters["source-as-negative"] == false)
    #expect(
      report.settingsFrom == [
        "reference-blend": "caller", "source-as-negative": "caller", "sampler": "caller", "steps": "caller",
      ])
  }

  @Test(
    "translates between two prompts",
    arguments: ["ddim-inversion", "cycle-diffusion", "cycle-sde", "diffedit"])
  func translates(method: String) async throws {
    for more in method == "diffedit"
      ? [["--sampler", "ode"], ["--sampler", "sde"], ["--mask", "mask.png"]] : [[]]
    {
      let report = try await Self.report(
        ["--method", method, "-p", "a red ball on grass"] + Self.source + more)
      #expect(report.method == method && report.plannedEvaluations == report.evaluations)
      if method == "diffedit" { #expect(report.mask == (more[0] == "--mask" ? "given" : "found")) }
    }
  }

  @Test("drags with noise and without", arguments: ["sde", "ode"], ["together", "sequential"])
  func drags(sampler: String, order: String) async throws {
    let report = try await Self.report([
      "-p", "a red ball on grass", "--sampler", sampler, "--drag-order", order, "--drag", "20,20:60,40",
      "--drag",
      "70,60:60,60", "--radius", "2", "--step-size", "4",
    ])
    #expect(report.method == "drag" && report.plannedEvaluations == report.evaluations)
  }

  @Test("drags in sequence are the drags of each pair alone")
  func sequence() async throws {
    let short = ["-p", "a red ball on grass", "--radius", "2", "--step-size", "4"]
    let pairs = [["--drag", "20,20:60,40"], ["--drag", "70,60:60,60"]]
    let together = try await Self.report(short + pairs.flatMap(\.self), model: Command.smallModel)
    let sequential = try await Self.report(
      short + pairs.flatMap(\.self) + ["--drag-order", "sequential"], model: Command.smallModel)
    var sum = 0
    for pair in pairs { sum += try await Self.report(short + pair, model: Command.smallModel).evaluations }
    #expect(sequential.evaluations == sum && together.evaluations < sum)
  }

  @Test("sega makes a picture from a text, and on a photo is ledits")
  func sega() async throws {
    let photo = try await Self.report(["--method", "sega", "--concept", "+ball"])
    #expect(photo.method == "ledits")
    let place = try Workplace.furnished()
    for (method, more) in [("generate", []), ("sega", ["--concept", "-cube", "--concept-warmup", "0"])] {
      let run = try await Command.run(
        [
          "generate", "-p", "a red ball on grass", "--steps", "3", "--size", "128", "-o", "out.png",
          "--report", "json",
        ]
          + more, in: place, model: Command.embeddedModel)
      #expect(run.status == Status.done, "\(run.errors)")
      let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
      #expect(report.method == method && report.evaluations == (method == "sega" ? 9 : 6))
      #expect(try PictureFile.read(place.path("out.png")).width == 128)
    }
  }

  @Test("attention masks run where the model has maps, and are refused by name where it has none")
  func attention() async throws {
    let arguments = ["--method", "ledits++", "--concept", "+ball", "--mask-mode", "attention"]
    #expect(try await Self.report(arguments, model: Command.smallModel).evaluations == 12)
    let place = try Workplace.furnished()
    var refusal = Refusal(says: "choose the mask mode \"noise\"")
    refusal.arguments = ["edit", "-i", "photo.png", "-o", "out.png", "--steps", "4"] + arguments
    try await refusal.check(in: place, model: Command.embeddedModel)
  }

  static let choices: [(method: String, reason: String, arguments: [String])] = [
    ("ddpm-inversion", "a prompt", ["-p", "x"]), ("ledits", "concepts", ["--concept", "-x"]),
    ("ledits", "concepts", ["-p", "x", "--concept", "-x"]),
    ("ledits++", "a mask for them", ["--concept", "-x", "--mask", "mask.png"]),
    ("inpaint", "a mask", ["-p", "x", "--mask", "mask.png"]),
    ("diffedit", "a mask", ["-p", "x", "--source-prompt", "y", "--mask", "mask.png"]),
    ("diffedit", "to be found", ["-p", "x", "--source-prompt", "y", "--mask", "auto"]),
    ("drag", "points", ["-p", "x", "--drag", "9,9:50,50", "--mask", "auto"]),
    ("infedit", "few steps are asked for", ["-p", "x", "--source-prompt", "y", "--fast"]),
    ("ddpm-inversion", "few steps are asked for", ["-p", "x", "--fast"]),
    ("ledits++", "few steps are asked for", ["--concept", "-x", "--fast"]),
    (
      "turbo-edit", "the model takes few steps", ["-p", "x", "--source-prompt", "y", "--spacing", "trailing"]
    ),
    ("sdedit", "strength is given", ["-p", "x", "--strength", "0.5"]),
    ("infedit", "strength is given", ["-p", "x", "--source-prompt", "y", "--strength", "0.5"]),
    ("sdedit", "the model takes few steps", ["-p", "x", "--spacing", "trailing"]),
    ("sdedit", "there is a mask", ["-p", "x", "--mask", "mask.png", "--spacing", "trailing"]),
  ]

  @Test("is chosen by what was given, with the reason", arguments: choices)
  func chosen(choice: (method: String, reason: String, arguments: [String])) async throws {
    let place = try Workplace.furnished()
    let run = try await Command.run(
      ["edit", "-i", "photo.png", "-o", "out.png", "--steps", "2"] + choice.arguments, in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    let line = try #require(run.errors.split(separator: "\n").first)
    #expect(line.hasPrefix("pentimento: method \(choice.method), since ") && line.contains(choice.reason))
  }

  private static func report(_ arguments: [String], model: URL = Command.embeddedModel) async throws -> Report
  {
    let place = try Workplace.furnished()
    let run = try await Command.run(
      ["edit", "-i", "photo.png", "-o", "out.png", "--steps", "4", "--size", "128", "--report", "json"]
        + arguments,
      in: place, model: model)
    #expect(run.exited && run.status == Status.done, "\(arguments): \(run.errors)")
    let picture = try PictureFile.read(place.path("out.png"))
    #expect(picture.width == 96 && picture.height == 80)
    return try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
  }
}
