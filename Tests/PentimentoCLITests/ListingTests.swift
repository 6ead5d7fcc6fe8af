import Editing
import Foundation
import Testing

@Suite("What the command says about itself and its models", .serialized) struct ListingTests {
  static let methods = [
    "ddpm-inversion", "ledits", "ledits++", "turbo-edit", "infedit", "dds", "pds", "sds", "sdedit",
    "ddim-inversion", "npi", "cycle-diffusion", "cycle-sde", "diffedit", "inpaint", "drag", "pti",
    "null-text", "translate", "generate", "sega",
  ]

  private func output(_ arguments: String..., model: URL = Command.smallModel) async throws -> String {
    try await output(arguments, model: model)
  }

  private func output(_ arguments: [String], model: URL) async throws -> String {
    let run = try await Command.run(arguments, in: .furnished(), model: model)
    #expect(run.exited && run.status == Status.done, "\(arguments): \(run.errors)")
    return run.output
  }

  @Test("lists every method with a sentence")
  func list() async throws {
    let lines = try await output("methods").split(separator: "\n")
    #expect(lines.map { String($0.prefix { $0 != " " }) } == Self.methods)
    #expect(lines.allSatisfy { $0.hasSuffix(".") })
  }

  @Test("explains a method by the options that set it", arguments: methods)
  func explanation(method: String) async throws {
    let text = try await output("methods", method)
    #expect(
      text.contains("needs: ") && text.contains("evaluations: ")
        && (text.contains("  --steps ") || method == "translate"))
    // Every option named is one of the command.
    let help = try await output("edit", "--help-all")
    for word in text.split(whereSeparator: \.isWhitespace) where word.hasPrefix("--") {
      #expect([" ", ",", "\n", "/"].contains { help.contains(word + $0) }, "\(word)")
    }
  }

  @Test("an explained default is what an edit uses")
  func defaults() async throws {
    let text = try await output("methods", "ddpm-inversion")
    let rows = Dictionary(
      text.split(separator: "\n").map {
        $0.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
      }
      .filter { $0.count == 3 }.map { ($0[0], $0[1]) }, uniquingKeysWith: { a, _ in a })
    #expect(rows["--steps"] == "100" && rows["--skip"] == "0.36" && rows["--cfg-scale"] == "15.0")
    #expect(rows["--zero-last"] == "0" && rows["--official-last-step"] == "the")
  }

  @Test("an explained method has the defaults of the model that is used, or of one that is named")
  func modelDefaults() async throws {
    func values(_ option: String, _ arguments: [String], model: URL) async throws -> [Substring] {
      let text = try await output(["methods", "ddpm-inversion"] + arguments, model: model)
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("  \(option) ") })
      return Array(line.split(separator: " ")[1...2])
    }
    #expect(try await values("--cfg-scale", [], model: Command.embeddedModel) == ["15.0", "3.0"])
    #expect(try await values("--cfg-scale", [], model: Command.smallModel) == ["15.0", "–"])
    #expect(
      try await values("--skip", ["-m", Command.embeddedModel.path], model: Command.smallModel)
        == ["0.36", "0.2"])
  }

  @Test("every value of the methods' tables is an option, and every option of a method a value")
  func options() async throws {
    struct Help: Decodable {
      struct Command: Decodable { var arguments: [Argument]? }
      struct Argument: Decodable {
        struct Name: Decodable { var name: String }
        var sectionTitle: String?
        var preferredName: Name?
        var abstract: String?
      }
      var command: Command
    }
    for command in ["edit", "plan"] {
      let text = try await output(command, "--experimental-dump-help")
      let help = try JSONDecoder().decode(Help.self, from: Data(text.utf8))
      let settings = (help.command.arguments ?? []).filter { $0.sectionTitle == "Settings of the methods" }
      let names = settings.compactMap(\.preferredName?.name).filter { !$0.hasPrefix("no-") }
      #expect(Set(names) == EditMethods.all.options, "\(command)")
      #expect(
        settings.allSatisfy {
          !($0.abstract ?? "").isEmpty || $0.preferredName?.name.hasPrefix("no-") == true
        })
    }
    let help = try await output("edit", "--help-all")
    #expect(help.contains("inpaint: order of the solver (1 to 2)."))
  }

  @Test("inspects a model and a weight file")
  func inspect() async throws {
    let model = try await output("inspect")
    #expect(model.contains("native size  128×128") && model.contains("predicts epsilon"))
    #expect(try await output("inspect", Command.smallModel.path) == model)
    let file = Command.smallModel.appending(path: "unet/diffusion_pytorch_model.safetensors").path
    let tensors = try await output("inspect", file, "--tensors")
    #expect(tensors.contains("685 tensors") || tensors.contains("684 tensors"))
    #expect(tensors.contains("  conv_in.weight F32 16×4×3×3"))
  }

  @Test("plans an edit without running it")
  func plan() async throws {
    struct Plan: Decodable {
      struct Stage: Decodable {
        var name: String, arena: Int, scratch: Int, residentWeights: Int, streaming: Int, stored: Int
        struct Work: Decodable { var evaluations: Int, bytesPerPass: Int, seconds: Double }
        var work: Work?
      }
      var stages: [Stage], held: Int, baseline: Int
    }
    let text = try await output("plan", "-i", "photo.png", "-p", "a cat", "--report", "json")
    let plan = try JSONDecoder().decode(Plan.self, from: Data(text.utf8))
    #expect(
      plan.stages.map(\.name) == ["read picture", "text", "encode", "denoise", "decode", "write picture"])
    #expect(plan.stages.dropFirst().dropLast().allSatisfy { $0.arena > 0 && $0.residentWeights > 0 })
    // At least the working picture of 96×64 pixels, of which the result is made.
    #expect(plan.stages.first!.stored > 0 && plan.stages.last!.stored > 96 * 64 * 3)
    #expect(plan.baseline > 0)
    #expect(
      plan.stages.allSatisfy {
        ($0.work?.seconds ?? 1) > 0 && ($0.work != nil) == !$0.name.contains("picture")
      })
    let table = try await output("plan", "--method", "sega", "-p", "a cat", "--concept", "+snow")
    #expect(table.contains("peak") && table.contains("MB read") && !table.contains("encode"))
    let other = try await Command.run(["plan", "-p", "a cat"], in: .furnished())
    #expect(other.output.contains("encode"))
    #expect(
      other.errors == "pentimento: method ddpm-inversion, for a picture of 128×128, as none was named\n")
  }

  @Test("does not claim a picture where a plan was given none")
  func planWithoutPicture() async throws {
    let run = try await Command.run(
      ["plan", "-p", "a cat", "--size", "64"], in: .furnished(), model: Command.smallModel)
    #expect(run.status == Status.done)
    #expect(run.errors.contains("method ddpm-inversion, for a picture of 64×64, as none was named"))
    let named = try await Command.run(
      ["plan", "-i", "photo.png", "-p", "a cat"], in: .furnished(), model: Command.smallModel)
    #expect(named.errors.contains("method ddpm-inversion, since there is a picture and a prompt for it"))
  }

  @Test("has help and a version")
  func help() async throws {
    // Lines are broken to fit a terminal.
    let statuses = try await output("--help").split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let list = try #require(statuses.firstRange(of: "Exit status: 0 done;"))
    let end = try #require(statuses.firstRange(of: "with nothing written but a checkpoint."))
    for status in ["1", "64", "65", "66", "69", "71", "73", "75", "129, 130 or 143"] {
      #expect(statuses[list.lowerBound..<end.upperBound].contains(" \(status) "))
    }
    let manual = try String(contentsOf: Manual.catalogue.appending(path: "Command.md"), encoding: .utf8)
    #expect(
      manual.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        .contains(statuses[list.lowerBound..<end.upperBound]))
    #expect(try await output("--version") == "0.1.0\n")
    let help = try await output("edit", "--help-all")
    for option in ["--image", "--prompt", "--concept", "--mask", "--save-mask", "--drag-file", "--seed"] {
      #expect(help.contains(option))
    }
  }
}
