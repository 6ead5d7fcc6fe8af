import Foundation
import Kernels
import Packing
import Pentimento
import TestSupport
import Testing
import WeightStorage

/// What is asked of a container beside a precision, and what is foretold of it.
@Suite("Quantizing") struct QuantizationRuleTests {
  @Test(
    "finds the weights of a rule by parts of their names, stars between them",
    arguments: [
      ("mid_block", true), ("unet.*.to_q", true), ("unet.*", true), ("to_q*mid_block", false), ("vae", false),
      ("*", true), ("attn1*attn1", false),
    ])
  func matching(pattern: String, isMeant: Bool) {
    let name = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    #expect(WeightRule(pattern, .fp16).matches(name) == isMeant)
  }

  @Test("reads rules as they are typed")
  func parsing() {
    #expect(WeightRule(parsing: "unet.mid_block=fp16") == WeightRule("unet.mid_block", .fp16))
    #expect(WeightRule(parsing: "a=b=int8") == WeightRule("a=b", .int8))
    for text in ["unet", "=fp16", "unet=int4", "unet=", ""] {
      #expect(WeightRule(parsing: text) == nil, "\(text)")
    }
  }

  private static func place() -> URL {
    FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
  }

  @Test("does what the last rule says that fits, even where a layer would stay wider; the model still edits")
  func rules() async throws {
    let url = Self.place()
    defer { try? FileManager.default.removeItem(at: url) }
    let model = try Model(folder: SingleFile.folderURL("sd15"))
    var request = QuantizationRequest(precision: .fp16)
    request.rules = [
      WeightRule("unet", .int8), WeightRule("unet.mid_block", .fp32),
      WeightRule("unet.mid_block.*.to_q", .int8),
    ]
    let report = try model.quantize(to: url, request, threads: 2)
    // Positions are no table that is looked up: they are added, as a bias is.
    for entry in report.entries where entry.shape.count > 1 && !entry.name.contains("position_embedding") {
      let expected =
        !entry.name.hasPrefix("unet")
        ? "f16"
        : entry.name.contains("mid_block") && !entry.name.contains("to_q") ? "f32" : "s8"
      #expect(entry.to == expected, "\(entry.name)")
    }
    #expect(report.entries.allSatisfy { $0.shape.count > 1 || $0.to == "f32" })
    let packed = try Model(at: url)
    var edit = EditRequest(.generate(steps: 2))
    edit.prompt = "a cat"
    let editor = try Editor(model: packed, threads: 2)
    #expect(try await editor.prepare(edit).run().working.extent.width > 0)
  }

  @Test(
    "foretells the file to the byte, and of its sample what a weight loses",
    arguments: ["sd15", "sdxl", "lcm"])
  func forecast(fixture: String) throws {
    let url = Self.place()
    defer { try? FileManager.default.removeItem(at: url) }
    let model = try Model(folder: SingleFile.folderURL(fixture))
    var request = QuantizationRequest(precision: .int8)
    request.rules = [WeightRule("vae", .fp32)]
    let told = try model.forecast(request, sample: 7, threads: 2)
    #expect(!FileManager.default.fileExists(atPath: url.path))
    let made = try model.quantize(to: url, request, threads: 2)
    #expect(told.bytes == made.bytes)
    #expect(told.sampled == 7 && told.entries.filter { $0.signalToNoise != nil }.count == 7)
    for (one, other) in zip(told.entries, made.entries) {
      var other = other
      if one.signalToNoise == nil { other.signalToNoise = nil }
      #expect(one == other)
    }
  }
}
