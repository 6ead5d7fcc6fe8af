import Foundation
import Testing

@Suite("What the command says about itself and its models", .serialized) struct ListingTests {
  static let methods = [
    "ddpm-inversion", "ledits", "ledits++", "dds", "sds", "sdedit", "ddim-inversion", "cycle-diffusion",
    "cycle-sde",
    "diffedit", "inpaint", "drag", "generate", "sega",
  ]

  private func output(_ arguments: String..., model: URL = Command.smallModel) async throws -> String {
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
    #expect(text.contains("needs: ") && text.contains("evaluations: ") && text.contains("  --steps "))
    // Every option named is one of the command.
    let help = try await output("help", "edit")
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
    #expect(rows["--official-last-step"] == "false")
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
      }
      var stages: [Stage], held: Int, baseline: Int
    }
    let text = try await output("plan", "-i", "photo.png", "-p", "a cat", "--report", "json")
    let plan = try JSONDecoder().decode(Plan.self, from: Data(text.utf8))
    #expect(
      plan.stages.map(\.name) == ["read picture", "text", "encode", "denoise", "decode", "write picture"])
    #expect(plan.stages.dropFirst().dropLast().allSatisfy { $0.arena > 0 && $0.residentWeights > 0 })
    // 96×80 pixels of three bytes, first read, then written.
    #expect(plan.stages.first?.stored == 96 * 80 * 3 && plan.stages.last?.stored == 96 * 80 * 3)
    #expect(plan.baseline > 0)
    let table = try await output("plan", "--method", "sega", "-p", "a cat", "--concept", "+snow")
    #expect(table.contains("peak") && !table.contains("encode"))
    #expect(try await output("plan", "-p", "a cat").contains("encode"))
  }

  @Test("has help and a version")
  func help() async throws {
    // Lines are broken to fit a terminal.
    let statuses = try await output("--help").split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(statuses.contains("73 the result could not be written; 130 interrupted"))
    #expect(try await output("--version") == "0.1.0\n")
    let help = try await output("edit", "--help")
    for option in ["--image", "--prompt", "--concept", "--mask", "--save-mask", "--drag-file", "--seed"] {
      #expect(help.contains(option))
    }
  }
}
