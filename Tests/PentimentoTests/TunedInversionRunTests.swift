import Editing
import Foundation
import Pentimento
import Tensors
import Testing

private let package = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().appending(path: "../..").standardizedFileURL

/// Prompt tuning on the embedded model, in fp16 and in int8.
@Suite("A tuned inversion on a model") struct TunedInversionRunTests {
  private func request(_ method: EditMethod) -> EditRequest {
    var request = EditRequest(method)
    request.size = .box(Extent(width: 64, height: 64))
    request.picture = Picture(width: 64, height: 64, pixels: (0..<64 * 64 * 3).map { UInt8($0 * 7 % 251) })
    request.prompt = "a red ball on grass"
    return request
  }

  private func int8() throws -> (model: Model, folder: URL) {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tuned-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let url = folder.appending(path: "int8.safetensors")
    _ = try Model(folder: package.appending(path: "Weights/embedded")).quantize(
      to: url, QuantizationRequest(precision: .int8), threads: 2)
    return (try Model(at: url), folder)
  }

  private let pti = EditMethod.promptTuningInversion(steps: 4, innerSteps: 2)

  @Test(
    "of an int8 model is sampled in the floats that it was tuned in, and the cost of int8 is found on request"
  )
  func floats() async throws {
    let (model, folder) = try int8()
    defer { try? FileManager.default.removeItem(at: folder) }
    let editor = try Editor(model: model, threads: 2)
    var first = request(pti)
    first.keepsInversion = true
    let made = try await editor.run(first)
    #expect(made.report.evaluations == made.report.plannedEvaluations)
    #expect(made.report.evaluations == 4 + 4 * (2 + 2) + 2 * 4 && made.report.int8Decibels == nil)

    var again = request(pti)
    (again.picture, again.inversion, again.comparesInt8) = (nil, made.inversion, true)
    (again.method!.settings, again.pastesBack) = ([:], false)
    let job = try editor.prepare(again)
    #expect(job.plan.stages.map(\.name).contains("compare"))
    let edited = try await job.run()
    #expect(edited.working == made.working)
    let decibels = try #require(edited.report.int8Decibels)
    #expect(decibels > 20 && decibels < 90)
    #expect(edited.report.evaluations == 16 && edited.report.plannedEvaluations == 16)

    // In one go it is the same.
    var both = request(pti)
    both.comparesInt8 = true
    let whole = try await editor.run(both)
    #expect(whole.report.int8Decibels == decibels && whole.inversion == nil && whole.working == made.working)
  }

  @Test("a comparison with int8 is refused where there is nothing to compare")
  func idle() throws {
    let editor = try Editor(model: Model(folder: package.appending(path: "Weights/embedded")), threads: 2)
    func reason(_ method: EditMethod) -> RequestError? {
      var request = request(method)
      request.comparesInt8 = true
      do {
        _ = try editor.prepare(request)
        return nil
      } catch { return error as? RequestError }
    }
    #expect(reason(pti) == .int8Idle(reason: "the model's noise network has no layer in int8"))
    #expect(reason(.sdedit()) == .int8Idle(reason: "sdedit runs in int8 where the model is"))
  }

  @Test("of a model with two encoders has the pooled vector that it was tuned with, in its file too")
  func pooled() async throws {
    let editor = try Editor(
      model: Model(folder: package.appending(path: "Tests/Fixtures/sdxl/model")), threads: 2)
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).inv").path
    defer { try? FileManager.default.removeItem(atPath: file) }
    for method in [pti, .nullText(steps: 3, innerSteps: 1)] {
      var first = request(method)
      (first.keepsInversion, first.negativePrompt) = (true, "blurred")
      if method.name == "null-text" { first.sourcePrompt = "a ball" }
      let made = try await editor.run(first)
      let saved = try #require(made.inversion)
      #expect(saved.inversion.pooled?.shape == [1, 24])
      try InversionFile.write(saved, to: file)
      var again = request(method)
      (again.picture, again.inversion, again.pastesBack) = (nil, try InversionFile.read(file), false)
      again.method!.settings = [:]
      #expect(try await editor.run(again).working == made.working)
      // It was tuned beside, or from, the negative prompt.
      again.negativePrompt = "dark"
      await #expect(throws: InversionError.differs(.negativePrompt(made: "blurred", asked: "dark"))) {
        try await editor.run(again)
      }
    }
  }

  @Test("is planned with what it keeps, and its gradients")
  func plan() async throws {
    let editor = try Editor(model: Model(folder: package.appending(path: "Weights/embedded")), threads: 2)
    let job = try editor.prepare(request(.promptTuningInversion(preset: "quick", steps: 5)))
    #expect(job.evaluations == 6 * 5 && job.gradients == 5)
    let denoise = try #require(job.plan.stages.first { $0.name == "denoise" })
    #expect(denoise.gradient != nil)
    var plain = request(.ddimInversion(steps: 5))
    plain.sourcePrompt = "a ball"
    let other = try #require(editor.prepare(plain).plan.stages.first { $0.name == "denoise" })
    var keeping = job.request
    keeping.keepsInversion = true
    let inversion = try #require(try await editor.run(keeping).inversion).inversion
    let embedding = inversion.embeddings[1]!.count * 4
    #expect(denoise.stored - other.stored == (5 + 6) * embedding)
  }
}
