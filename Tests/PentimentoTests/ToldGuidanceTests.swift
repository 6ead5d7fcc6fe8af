import Editing
import Foundation
import Packing
import Pentimento
import TestSupport
import Testing

/// A small latent consistency model, whose network is told the guidance.
@Suite("Model that is told the guidance") struct ToldGuidanceTests {
  private func request(_ method: EditMethod) -> EditRequest {
    var request = EditRequest(method)
    request.size = .box(.init(width: 64, height: 64))
    request.prompt = "a cat"
    return request
  }

  private func editor() throws -> Editor {
    try Editor(model: Model(folder: SingleFile.folderURL("lcm")), threads: 1)
  }

  @Test("hears what it is told: another guidance, another picture; and says in its report what it took")
  func hears() async throws {
    let editor = try editor()
    let usual = try await editor.run(request(.generate()))
    let other = try await editor.run(request(.generate(embedGuidance: 3)))
    #expect(try usual.pixels != other.pixels)
    let report = usual.report
    #expect(report.evaluations == 4 && report.grid == "lcm" && report.kind == "latent consistency model")
    #expect(report.parameters["embed-guidance"] == .one(.number(8.5)))
    #expect(report.settingsFrom["steps"] == "kind" && report.warnings.isEmpty)
  }

  @Test("says that a negative prompt has no effect, and has none")
  func negative() async throws {
    let editor = try editor()
    var asked = request(.generate())
    asked.negativePrompt = "a dog"
    let (plain, negative) = try await (editor.run(request(.generate())), editor.run(asked))
    #expect(try plain.pixels == negative.pixels)
    #expect(negative.report.warnings.contains { $0.contains("negative prompt has no effect") })
  }

  @Test("is refused by what works on ordinary predictions")
  func refused() async throws {
    let editor = try editor()
    let picture = Picture(width: 64, height: 64, pixels: [UInt8](repeating: 9, count: 64 * 64 * 3))
    var edit = request(.ddpmInversion())
    edit.picture = picture
    #expect(failure(EditError.self) { try editor.prepare(edit) } != nil)
    #expect(
      failure(EditError.self) { try editor.prepare(LoRARequest(picture, prompt: "a cat")) } != nil)
  }
}
