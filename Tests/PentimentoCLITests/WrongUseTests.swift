import Foundation
import Testing

@Suite("Wrong use of the command", .serialized) struct WrongUseTests {
  /// An edit that would work, up to what is added.
  private static let edit = ["edit", "-i", "photo.png", "-o", "out.png"]

  static let values: [Refusal] = [
    Refusal("--steps", "0", says: "--steps 0", "1 to 1000"),
    Refusal("--steps", "-3", says: "--steps -3"),
    Refusal("--steps", "many", says: "'many' is invalid"),
    Refusal("--steps", "2.5", says: "whole number"),
    Refusal("--steps", "nan", says: "whole number"),
    Refusal("--steps", "1000", says: "give 1 to 999"),
    Refusal("--steps", "1001", says: "1 to 1000"),
    Refusal("--steps", "9e18", says: "1 to 1000"),
    Refusal("--steps", "1e40", says: "whole number"),
    Refusal("--skip", "1", says: "under 1"),
    Refusal("--skip", "-0.1", says: "give 0 to under 1"),
    Refusal("--method", "dds", "--source-prompt", "", "--steps", "0", says: "--steps 0", "1 to 1000000"),
    Refusal("--method", "dds", "--source-prompt", "", "--steps", "9e18", says: "1 to 1000000"),
    Refusal("--zero-last", "-1", says: "--zero-last -1", "at least 0"),
    Refusal(
      "--zero-last", "2", "--official-last-step", says: "--official-last-step and --zero-last",
      "give one of them"),
    Refusal("--cfg-scale", "inf", says: "--cfg-scale inf", "finite"),
    Refusal("--cfg-scale", "high", says: "'high' is invalid"),
    Refusal("--method", "sdedit", "--strength", "-0.1", says: "--strength -0.1", "over 0, up to 1"),
    Refusal("--method", "sdedit", "--strength", "1.1", says: "--strength 1.1"),
    Refusal("--method", "sdedit", "--strength", "nan", says: "--strength nan"),
    Refusal("--method", "sdedit", "--strength", "1e300", says: "--strength 1e+300"),
    Refusal("--method", "sdedit", "--steps", "3", "--strength", "0.2", says: "less than one of 3 steps"),
    Refusal("--seed", "-2", says: "'-2' is invalid"),
    Refusal("--seed", "x", says: "'x' is invalid"),
    Refusal("--size", "0", says: "outside 64…8192"),
    Refusal("--size", "-64", says: "not understood"),
    Refusal("--size", "64x", says: "512x768"),
    Refusal("--size", "100000", says: "outside 64…8192"),
    Refusal("--threads", "0", says: "1 to 256"),
    Refusal("--threads", "-1", says: "1 to 256"),
    Refusal("--feather", "-3", says: "0 to 1000"),
    Refusal("--sampler", "euler", says: "--sampler cannot be \"euler\": give ode", "deterministic is ode"),
    Refusal("--prompt-syntax", "a1111", says: "--prompt-syntax cannot be \"a1111\": give plain"),
    Refusal(
      "-n", "((snow:50):3)", "--prompt-syntax", "weighted", says: "\"snow\" has a weight of 150.0",
      "from -100 to 100"),
    Refusal("--report", "xml", says: "--report cannot be \"xml\": give json"),
    Refusal("--colour", "red", says: "edit has no option --colour: "),
  ]

  @Test("a value that cannot be is refused by name", arguments: values)
  func value(refusal: Refusal) async throws {
    var refusal = refusal
    refusal.arguments = Self.edit + ["-p", "a cat"] + refusal.arguments
    try await refusal.check(in: .furnished())
  }

  @Test(
    "an unknown method brings near names",
    arguments: [
      ("ddpm", "ddpm-inversion"), ("sdedti", "sdedit"), ("Diff Edit", "diffedit"), ("in-paint", "inpaint"),
      ("ledit", "ledits or ledits++"), ("xyz", "ddpm-inversion, ledits, ledits++, turbo-edit"),
    ])
  func unknownMethod(name: String, near: String) async throws {
    var refusal = Refusal(says: "no method \"\(name)\": use \(near)")
    refusal.arguments = Self.edit + ["-p", "a cat", "--method", name]
    try await refusal.check(in: .furnished())
    refusal.arguments = ["methods", name]
    try await refusal.check(in: .furnished())
  }

  static let inputs: [Refusal] =
    [
      Refusal(says: "say with --prompt"),
      Refusal("-p", "", says: "say with --prompt"),
      Refusal("-p", "  ", says: "say with --prompt"),
      Refusal("--method", "sdedit", says: "a prompt (--prompt): give one"),
      Refusal("--method", "sdedit", "-p", "", says: "says something"),
    ]
    + ["dds", "diffedit", "ddim-inversion", "cycle-diffusion", "cycle-sde"].map {
      Refusal("--method", $0, "-p", "a cat", says: "\($0) needs a source prompt", "\"\" is allowed")
    }
    + ["sds", "dds", "diffedit"].map { method in
      let source = method == "sds" ? [] : ["--source-prompt", ""]
      var refusal = Refusal(says: "\(method) needs a prompt that says something")
      refusal.arguments = ["--method", method, "-p", ""] + source
      return refusal
    } + [
      Refusal(
        "--method", "inpaint", "-p", " ", "--mask", "mask.png",
        says: "inpaint needs a prompt that says something"),
      Refusal("--method", "inpaint", "-p", "a cat", says: "a mask (--mask)"),
      Refusal("--method", "drag", "-p", "a cat", says: "--drag x0,y0:x1,y1"),
      Refusal("--method", "ledits", "-p", "a cat", says: "a concept"),
      Refusal("--method", "generate", "-p", "a cat", says: "no use for a picture"),
    ]

  @Test("an input that a method needs or has no use for is named", arguments: inputs)
  func input(refusal: Refusal) async throws {
    var refusal = refusal
    refusal.arguments = Self.edit + refusal.arguments
    try await refusal.check(in: .furnished())
  }

  static let unused: [Refusal] = [
    Refusal("--method", "sdedit", "--eta", "0.5", says: "no use for --eta", "--strength"),
    Refusal("--radius", "3", says: "ddpm-inversion has no use for --radius"),
    Refusal("--mask", "mask.png", "--method", "ddpm-inversion", says: "no use for a mask"),
    Refusal("--fast", "--method", "sdedit", says: "--fast chooses a method"),
    Refusal("--mask", "auto", says: "diffedit needs a source prompt"),
    Refusal("--method", "sdedit", "--mask", "auto", says: "no use for --mask auto"),
    Refusal("--save-mask", "m.png", says: "no use for --save-mask"),
    Refusal("--feather", "3", says: "--feather"),
    Refusal("--mask", "mask.png", "--feather", "3", "--no-paste-back", says: "--feather"),
    Refusal("--drag-order", "sequential", says: "--drag-order"),
    Refusal("--method", "sdedit", "--reference-blend", says: "no use for --reference-blend"),
    Refusal("--source-cfg-scale", "2", says: "--source-cfg-scale without a source prompt"),
    Refusal(
      "--method", "diffedit", "--source-prompt", "x", "--source-cfg-scale", "2",
      says: "--source-cfg-scale with the sampler sde"),
    Refusal(
      "--method", "diffedit", "--source-prompt", "x", "--no-source-as-negative",
      says: "--source-as-negative with the sampler sde"),
    Refusal(
      "--method", "diffedit", "--source-prompt", "x", "--mask", "mask.png", "--mask-maps", "3",
      says: "--mask-maps with a mask that is given"),
    Refusal("--official-last-step", "--method", "sdedit", says: "no use for --official-last-step"),
  ]

  @Test("what would have no effect is refused", arguments: unused)
  func unusedOption(refusal: Refusal) async throws {
    var refusal = refusal
    refusal.arguments = Self.edit + ["-p", "a cat"] + refusal.arguments
    try await refusal.check(in: .furnished())
  }

  static let concepts: [(String, String)] = [
    ("", "no text"), ("+", "no text"), ("-:5", "no text"), ("snow:", "\"\""), ("snow:7:", "\"\""),
    ("snow:7,", "\"\""), ("snow:much", "\"much\""), ("snow:7,warmup=2.5", "\"warmup=2.5\""),
    ("snow:7,strength=2", "\"strength=2\""), ("snow:threshold=", "\"threshold=\""),
    ("snow:threshold=2", "0 to 1"), ("snow:warmup=-1", "at least 0"), ("snow:nan", "finite"),
    ("-glasses:cooldown=-1", "at least 0"),
  ]

  @Test("a concept that is not understood is quoted", arguments: concepts)
  func concept(text: String, word: String) async throws {
    var refusal = Refusal(says: word)
    refusal.arguments = Self.edit + ["--concept", text]
    try await refusal.check(in: .furnished())
  }

  @Test("a weight of a prompt that is not there is refused")
  func noPrompt() async throws {
    for (more, word) in [
      (["--cfg-scale", "9"], "--cfg-scale without a prompt"),
      (["--method", "ledits++", "--source-cfg-scale", "2"], "--source-cfg-scale without a source prompt"),
    ] {
      var refusal = Refusal(says: word)
      refusal.arguments = Self.edit + ["--concept", "+snow"] + more
      try await refusal.check(in: .furnished())
    }
  }

  static let points: [Refusal] = [
    Refusal("--drag", "1,2", says: "x0,y0:x1,y1"), Refusal("--drag", "1,2:3", says: "x0,y0:x1,y1"),
    Refusal("--drag", "1,,2:3,4", says: "x0,y0:x1,y1"), Refusal("--drag", "a,2:3,4", says: "x0,y0:x1,y1"),
    Refusal("--drag", "-1,2:3,4", says: "point 1 at (-1, 2)", "96×80"),
    Refusal("--drag", "1,2:3,4", "--drag", "1,2:96,4", says: "point 2 at (96, 4)"),
    Refusal("--drag", "1,2:3,4", "--step-size", "1e-300", says: "--step-size"),
    Refusal("--drag", "1,2:3,4", "--radius", "9e18", says: "--radius"),
    Refusal("--drag-file", "none.json", says: "check the path"),
    Refusal("--drag-file", "photo.png", says: "[[x, y], …]"),
  ]

  @Test("points that are none, or lie outside, are named", arguments: points)
  func point(refusal: Refusal) async throws {
    var refusal = refusal
    refusal.arguments = Self.edit + ["-p", "a cat"] + refusal.arguments
    try await refusal.check(in: .furnished())
  }

  @Test(
    "a file of points with a fault is refused",
    arguments: [
      (#"{"source": [[1, 2]]}"#, "[[x, y], …]"),
      (#"{"source": [[1, 2]], "target": []}"#, "1 source and 0 target"),
      (#"{"source": [], "target": []}"#, "0 source"),
      (#"{"source": [[1]], "target": [[2, 3]]}"#, "not [x, y]"),
      (#"{"source": [[1e300, 2]], "target": [[2, 3]]}"#, "not [x, y]"),
      (#"{"source": [[500, 2]], "target": [[2, 3]]}"#, "outside the picture"),
    ])
  func dragFile(json: String, word: String) async throws {
    let place = try Workplace.furnished()
    try place.add("points.json", json.utf8)
    var refusal = Refusal(says: word)
    refusal.arguments = Self.edit + ["-p", "a cat", "--drag-file", "points.json"]
    try await refusal.check(in: place)
  }

  /// 1000 stored latents of 16.8 MB alone are more.
  @Test(
    "an edit beyond the memory allowed is refused before it starts",
    arguments: [["--max-ram", "4G"], ["--max-ram", "20m"]])
  func tooLarge(limit: [String]) async throws {
    var refusal = Refusal(
      status: Status.overBudget, says: "are allowed", "smaller --size", "--max-ram")
    refusal.arguments =
      Self.edit + [
        "-p", "a cat", "--size", "8192", "--method", "ddim-inversion", "--source-prompt", "", "--steps",
        "999",
      ] + limit
    try await refusal.check(in: .furnished(), model: Command.embeddedModel)
  }

  @Test("a command or an argument too many is refused")
  func stray() async throws {
    let place = try Workplace.furnished()
    try await Refusal("edits", says: "there is no command \"edits\": did you mean edit?").check(in: place)
    try await Refusal("edt", "-i", "photo.png", says: "did you mean edit?").check(in: place)
    try await Refusal("xyz", says: "no command \"xyz\": use edit, generate, batch, plan").check(in: place)
    try await Refusal("edit", "-p", "x", "-o", "out.png", says: "--image").check(in: place)
    try await Refusal("edit", "-i", "photo.png", "-p", "x", says: "--output").check(in: place)
    try await Refusal("inspect", "a", "b", says: "unexpected argument").check(in: place)
  }

  @Test(
    "an unknown option is unknown whatever else is missing",
    arguments: [
      ["edit", "--colour", "red"], ["edit", "-p", "x", "--ouput", "out.png"],
      ["edit", "--imgae", "photo.png", "-o", "out.png", "-p", "x"], ["generate", "--colour", "red"],
      ["quantize", "--colour", "red"], ["quantize", "a", "b.safetensors", "--wieghts", "int8"],
      ["compare", "--colour", "red"], ["trace", "--colour", "red"],
    ])
  func unknownBeforeMissing(words: [String]) async throws {
    let option = try #require(words.first { $0.hasPrefix("--") })
    var refusal = Refusal(says: "\(words[0]) has no option \(option): ")
    refusal.arguments = words
    try await refusal.check(in: .furnished())
  }

  @Test("what is missing is named where nothing is unknown")
  func missing() async throws {
    let place = try Workplace.furnished()
    try await Refusal("quantize", "a", "b.safetensors", says: "missing expected argument '--weights").check(
      in: place)
    try await Refusal("trace", "a", says: "missing expected argument '--output").check(in: place)
    try await Refusal("edit", "-o", "out.png", says: "name it with --image").check(in: place)
  }

  static let elsewhere: [Refusal] = [
    Refusal(
      "--strength", "0.5", "--fast", says: "no use for --strength", "--strength is for --method infedit, sdedit"),
    Refusal("--radius", "3", says: "--radius is for --method drag"),
    Refusal(
      "--eta", "0.5", "--method", "sdedit", says: "--eta is for --method ddpm-inversion, ledits"),
    Refusal(
      "--mask", "mask.png", "--method", "ddpm-inversion", says: "it is for --method", "inpaint", "diffedit"),
    Refusal("--method", "sdedit", "--mask", "auto", says: "it is for --method diffedit, drag"),
    Refusal("--save-mask", "m.png", says: "it is for --method", "diffedit"),
    Refusal("--method", "sdedit", "--drag", "1,2:3,4", says: "it is for --method drag"),
  ]

  @Test("an option of other methods names them", arguments: elsewhere)
  func namesMethods(refusal: Refusal) async throws {
    var refusal = refusal
    refusal.arguments = Self.edit + ["-p", "a cat"] + refusal.arguments
    try await refusal.check(in: .furnished())
  }

  /// Of more than a stage needs, and less: what is said differs with the bytes alone.
  @Test("memory is given in powers of 1000, or of 1024 with an i")
  func memorySizes() async throws {
    func said(_ size: String) async throws -> String {
      var refusal = Refusal(status: Status.overBudget, says: "--max-ram")
      refusal.arguments = Self.edit + ["-p", "a cat", "--size", "256", "--max-ram", size]
      let run = try await Command.run(refusal.arguments, in: .furnished())
      refusal.expect(run)
      return run.errors.replacing(try Regex("needs at least [0-9]+"), with: "needs")
    }
    let alike = [
      ["7000000", "7M", "7000k", "7000K", "7MB"], ["7340032", "7Mi", "7168Ki", "7MiB", "7mi"],
    ]
    for sizes in alike {
      let first = try await said(sizes[0])
      for size in sizes.dropFirst() { #expect(try await said(size) == first, "\(size)") }
    }
    for size in ["0", "-1", "400", "M", "7T", "7.5M", "7 M", "99999999999G", "", "7iB"] {
      var refusal = Refusal(says: "--max-ram")
      refusal.arguments = Self.edit + ["-p", "a cat", "--max-ram", size]
      try await refusal.check(in: .furnished())
    }
  }

  @Test("an empty PENTIMENTO_ISA is one that is not set")
  func emptyISA() async throws {
    let run = try await Command.shell(
      "exec $pentimento methods", in: Workplace(), environment: ["PENTIMENTO_ISA": ""])
    #expect(run.exited && run.status == Status.done, "\(run.errors)")
    let wrong = try await Command.shell(
      "exec $pentimento methods", in: Workplace(), environment: ["PENTIMENTO_ISA": "x"])
    #expect(
      wrong.status == Status.usage && wrong.errors.contains("PENTIMENTO_ISA is \"x\""), "\(wrong.errors)")
  }

  @Test("--isa goes before PENTIMENTO_ISA, and a name that does not run here is refused with those that do")
  func namedISA() async throws {
    let wrong = try await Command.shell("exec $pentimento plan --size 64 --isa x", in: Workplace())
    #expect(
      wrong.status == Status.usage && wrong.errors.contains("--isa is \"x\", and this processor runs scalar"),
      "\(wrong.errors)")
    let right = try await Command.shell(
      "exec $pentimento plan --method generate --prompt x --size 64 --isa scalar", in: Workplace(),
      environment: ["PENTIMENTO_ISA": "x"])
    #expect(right.status == Status.done, "\(right.errors)")
  }
}
