import Editing
import Foundation
import Pentimento
import Synchronization
import Tensors
import Testing

private let package = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().appending(path: "../..").standardizedFileURL

/// What an edit makes of weighted prompts; the embeddings themselves are held against PyTorch by the cases
/// `c_text_weighted`.
@Suite("Weighted prompts") struct PromptSyntaxTests {
  private static func editor(_ model: String, limit: Int? = nil) throws -> Editor {
    try Editor(
      model: Model(folder: package.appending(path: model)), threads: 2, maximumMemory: limit, reachable: nil,
      baseline: 20_000_000)
  }

  static let models = ["Weights/embedded", "Tests/Fixtures/sd15/model", "Tests/Fixtures/sdxl/model"]

  @Test("that weigh nothing are the plain ones bit for bit", arguments: models)
  func sameBits(model: String) throws {
    let editor = try Self.editor(model)
    for texts in [["a red ball on snow at night", "a cat"], ["", "it's a (photo)"]] {
      let escaped = texts.map { $0.replacing("(", with: "\\(").replacing(")", with: "\\)") }
      let plain = try editor.encode(texts, negativePrompt: nil, width: 64, height: 64)
      let weighted = try editor.encode(
        escaped, negativePrompt: nil, syntax: .weighted, width: 64, height: 64)
      #expect(plain.prompts == weighted.prompts && plain.empty == weighted.empty)
      #expect(plain.encodedEmpty == weighted.encodedEmpty && weighted.cut.isEmpty)
    }
  }

  @Test(
    "of one weight are the plain one's rows times it, marks left out, and its pooled vector",
    arguments: models)
  func rows(model: String) throws {
    let editor = try Self.editor(model)
    let plain = try editor.encode(["a cat"], negativePrompt: nil, width: 64, height: 64).prompts[0]
    let weighted = try editor.encode(
      ["(a cat:1.5)"], negativePrompt: nil, syntax: .weighted, width: 64, height: 64
    ).prompts[0]
    #expect(plain.wordRows == weighted.wordRows && plain.pooled == weighted.pooled)
    let width = plain.context.shape[1]
    for (i, value) in plain.context.values.enumerated() {
      let isWord = plain.wordRows[0].contains(i / width)
      #expect(weighted.context.values[i] == (isWord ? 1.5 * value : value))
    }
  }

  /// Attention over keys that are all there twice is the same mean of values. Rounding: each of the network's sums of a few
  /// hundred products is off by some units in the last place, layer upon layer.
  @Test("in two equal contexts mean to the network what they mean in one", arguments: models)
  func twice(model: String) async throws {
    let editor = try Self.editor(model)
    let text = try editor.encode(["a red cat"], negativePrompt: nil, width: 64, height: 64).prompts[0]
    var twice = text
    twice.context = HostTensor(
      shape: [2 * text.context.shape[0], text.context.shape[1]],
      values: text.context.values + text.context.values)
    let latent = SeededTape(seed: 3).normal(0, count: 1, height: 8, width: 8, channels: 4)[0]
    func noise(_ condition: Condition, contexts: Int) async throws -> Latent {
      let network = try editor.noiseNetwork(width: 64, height: 64, contexts: contexts)
      return try await network.predict([NoiseQuery(latent, timestep: 301, condition)])[0].noise
    }
    let (one, two) = (try await noise(text, contexts: 1), try await noise(twice, contexts: 2))
    #expect(one.isClose(to: two, within: one.maxMagnitude * 0x1p-23 * 1000))
    var other = twice
    other.context.values.replaceSubrange(
      0..<text.context.count, with: repeatElement(1, count: text.context.count))
    #expect(try await noise(other, contexts: 2).distance(to: one) > one.maxMagnitude * 0.001)
  }

  // MARK: Edits

  private func request(_ method: EditMethod, _ prompt: String) -> EditRequest {
    var request = EditRequest(method)
    request.size = .box(Extent(width: 64, height: 64))
    request.picture = Picture(width: 64, height: 64, pixels: (0..<64 * 64 * 3).map { UInt8($0 * 7 % 251) })
    (request.prompt, request.promptSyntax) = (prompt, .weighted)
    return request
  }

  private static let long = String(repeating: "a red ball on snow at night, ", count: 6)

  @Test(
    "of two contexts go through every kind of method, as planned",
    arguments: ["Weights/embedded", "Tests/Fixtures/sdxl/model"])
  func methods(model: String) async throws {
    let editor = try Self.editor(model)
    var requests = [
      request(.sdedit(steps: 3), "a (ball:1.3) BREAK snow"),
      request(.ddpmInversion(steps: 3), "a (ball:1.3) BREAK snow"),
      request(.deltaDenoisingScore(steps: 2), "a BREAK [cat]"),
      request(.promptTuningInversion(steps: 3, innerSteps: 2), "a (ball:1.3) BREAK snow"),
      request(.nullText(steps: 3, innerSteps: 2), "a (ball:1.3) BREAK snow"),
      request(.leditsPlusPlus(steps: 3), ""), request(.generate(steps: 2), "ball BREAK snow"),
    ]
    for i in 1...4 { requests[i].sourcePrompt = "a cube" }
    requests[5].prompt = nil
    requests[5].concepts = [ConceptRequest("(snow:1.2) BREAK ice")]
    requests[6].picture = nil
    for request in requests {
      let job = try editor.prepare(request)
      let result = try await job.run()
      #expect(result.report.evaluations == result.report.plannedEvaluations, "\(job.methodName)")
      #expect(result.report.promptSyntax == .weighted && result.report.cutPrompts.isEmpty)
      #expect(result.report.warnings.allSatisfy { !$0.contains("prompt-syntax") })
      var plain = request
      plain.promptSyntax = .plain
      let other = try editor.prepare(plain)
      func stage(_ job: EditJob, _ name: String) -> MemoryPlan.Stage {
        job.plan.stages.first { $0.name == name }!
      }
      #expect(stage(job, "decode").stored > stage(other, "decode").stored, "text states of twice the rows")
      #expect(stage(job, "denoise").total >= stage(other, "denoise").total, "\(job.methodName)")
    }
  }

  @Test("of many contexts stay within a budget, with the bits of a run without one") func budget()
    async throws
  {
    let request = request(.sdedit(steps: 4, strength: 1), Self.long + "(the end:1.2)")
    let free = try Self.editor("Weights/embedded")
    let job = try free.prepare(request)
    let pixels = try await job.run().pixels
    var least = 0
    do {
      _ = try Self.editor("Weights/embedded", limit: 1).prepare(request)
    } catch RequestError.overBudget(_, let needed, _, _, _) { least = needed }
    #expect(least > 20_000_000 && least < job.plan.peak)
    let tight = try Self.editor("Weights/embedded", limit: least).prepare(request)
    #expect(tight.plan.peak <= least && tight.plan.bytesRead > job.plan.bytesRead)
    #expect(try await tight.run().pixels == pixels)
  }

  @Test(
    "that are kept with an inversion lead to the same picture again",
    arguments: ["ddpm-inversion", "pti", "null-text"])
  func inversion(method: String) async throws {
    let editor = try Self.editor("Weights/embedded")
    var first = request(try EditMethod(named: method), "a (green:1.4) ball BREAK on snow")
    first.method!.settings["steps"] = .number(3)
    if method != "ddpm-inversion" { first.method!.settings["inner-steps"] = .number(1) }
    (first.sourcePrompt, first.keepsInversion) = ("a (red:0.8) ball BREAK on grass", true)
    let made = try await editor.run(first)
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).inv").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try InversionFile.write(try #require(made.inversion), to: path)
    let saved = try InversionFile.read(path)
    #expect(saved == made.inversion && saved.origin.promptSyntax == .weighted)

    var again = request(first.method!, first.prompt!)
    (again.picture, again.inversion, again.promptSyntax, again.pastesBack) = (nil, saved, nil, false)
    (again.method!.settings, again.size) = ([:], nil)
    #expect(try await editor.run(again).working == made.working)
    // Fewer contexts are filled up, another syntax is refused, and so are more contexts than were tuned.
    again.prompt = "a ball"
    _ = try await editor.run(again)
    again.promptSyntax = .plain
    #expect(throws: InversionError.differs(.promptSyntax(made: .weighted, asked: .plain))) {
      try editor.prepare(again)
    }
    (again.promptSyntax, again.prompt) = (nil, "a BREAK b BREAK c")
    if method == "ddpm-inversion" {
      _ = try editor.prepare(again)
    } else {
      #expect(throws: InversionError.differs(.contexts(made: 2, asked: 3))) { try editor.prepare(again) }
    }
  }

  @Test("edit from a plain inversion whose prompts say the same in both") func plainInversion() async throws {
    let editor = try Self.editor("Weights/embedded")
    var first = request(.ddpmInversion(steps: 3), "a green ball")
    (first.sourcePrompt, first.keepsInversion, first.promptSyntax) = ("a red ball", true, nil)
    var saved = try #require(try await editor.run(first).inversion)
    #expect(saved.origin.promptSyntax == .plain)
    var again = request(.ddpmInversion(), "a (green:1.4) ball")
    (again.picture, again.inversion, again.size, again.pastesBack) = (nil, saved, nil, false)
    _ = try await editor.run(again)
    saved.origin.sourcePrompt = "a (red) ball"
    again.inversion = saved
    #expect(throws: InversionError.differs(.promptSyntax(made: .plain, asked: .weighted))) {
      try editor.prepare(again)
    }
  }

  @Test("of as many contexts go together, of others not") func group() async throws {
    let free = try Self.editor("Weights/embedded")
    let two = [
      request(.sdedit(steps: 2), "a (ball:1.3) BREAK snow"),
      request(.sdedit(steps: 3), "a cat BREAK [b] (c:0.2)"),
    ]
    var alone: [Picture] = []
    for request in two { alone.append(try await free.run(request).pixels) }
    let limit = try free.prepare(together: two).plan.peak - 3_000_000
    let group = try Self.editor("Weights/embedded", limit: limit).prepare(together: two)
    #expect(group.runsSideBySide && group.plan.peak <= limit)
    let made = Mutex<[Picture?]>([])
    await group.run { _, result in
      let pixels = try? result.get().pixels
      made.withLock { $0.append(pixels) }
    }
    #expect(made.withLock { $0 } == alone)
    #expect {
      try free.prepare(together: [two[0], request(.sdedit(steps: 2), "a ball")])
    } throws: { "\($0)".contains("its prompts take 1 context, not 2") }
  }

  @Test("belong to what a checkpoint and a record are made for") func record() async throws {
    let editor = try Self.editor("Weights/embedded")
    var request = request(.sdedit(steps: 2), "a (ball:1.3)")
    let weighted = try editor.prepare(request).record()
    request.promptSyntax = nil
    let plain = try editor.prepare(request).record()
    #expect(plain.differences(from: weighted).count == 1)
    #expect(plain.differences(from: weighted)[0].contains("--prompt-syntax"))
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).journal").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    func run(_ request: EditRequest) async throws {
      _ = try await editor.prepare(request).run(journal: try FileJournal(path: path))
    }
    try await run(request)
    request.promptSyntax = .weighted
    let second = request
    await #expect {
      try await run(second)
    } throws: { "\($0)".contains("prompt syntax plain, not weighted") }
  }

  @Test("are told where they are read as plain text") func note() async throws {
    let editor = try Self.editor("Weights/embedded")
    var request = request(.sdedit(steps: 2), "a (ball:1.3)")
    request.promptSyntax = nil
    let told = try await editor.run(request).report.warnings
    #expect(told.count { $0.contains("prompt-syntax weighted") } == 1)
    request.prompt = "a ball (1999)"
    #expect(try await editor.run(request).report.warnings.allSatisfy { !$0.contains("prompt-syntax") })
  }
}
