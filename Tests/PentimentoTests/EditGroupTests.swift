import Editing
import Foundation
import Pentimento
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("Edits that go together") struct EditGroupTests {
  private let model = try! Model(
    folder: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Weights/embedded").standardizedFileURL)
  private static let baseline = 20_000_000

  private func request(
    _ method: EditMethod, _ prompt: String = "a red cube", from source: String? = nil, seed: UInt64 = 42,
    picture index: Int = 0
  ) -> EditRequest {
    var request = EditRequest(method)
    let factor = 7 + 4 * index
    let pixels = (0..<64 * 64 * 3).map { UInt8(truncatingIfNeeded: $0 * factor) }
    request.picture = Picture(
      width: 64, height: 64, pixels: pixels)
    (request.prompt, request.sourcePrompt, request.seed) = (prompt, source, seed)
    request.size = .box(Extent(width: 64, height: 64))
    return request
  }

  /// Different methods, prompts, pictures, seeds and numbers of steps; some with a mask, a concept or no picture.
  private var mixed: [EditRequest] {
    var inpainting = request(.inpaint(steps: 3), "a green ball", seed: 3)
    inpainting.mask = MaskPicture(
      width: 64, height: 64, pixels: (0..<64 * 64).map { $0 % 64 < 32 ? 255 : 0 })
    var ledits = request(.ledits(steps: 4), "", seed: 4, picture: 1)
    ledits.prompt = nil
    ledits.concepts = [ConceptRequest("snow")]
    var generated = request(.generate(steps: 3), "a blue cone", seed: 5)
    generated.picture = nil
    return [
      request(.sdedit(steps: 6), picture: 2),
      request(.ddpmInversion(steps: 4), "a red ball", from: "a cube", seed: 9), inpainting, ledits, generated,
      request(.deltaDenoisingScore(steps: 2), "a yellow cube on grass", from: "a red cube", picture: 3),
      request(.cycleSDE(steps: 4), "a red ball on snow", from: "a red cube"),
    ]
  }

  private func editor(limit: Int? = nil) throws -> Editor {
    try Editor(
      model: model, threads: 2, maximumMemory: limit, reachable: nil, baseline: Self.baseline)
  }

  /// What the edits of a group come to, by their places; errors as text.
  private func outcomes(
    _ group: EditGroup, journals: [FileJournal?] = [], isStopped: @escaping @Sendable () -> Bool = { false }
  ) async -> [(pixels: Picture?, report: EditReport?, error: String?)] {
    let told = Mutex<[(Int, Result<EditResult, any Error>)]>([])
    await group.run(journals: journals, isStopped: isStopped) { index, result in
      told.withLock { $0.append((index, result)) }
    }
    let all = told.withLock { $0 }
    #expect(all.map(\.0) == Array(group.jobs.indices), "each is told once, in order")
    return all.map { _, result in
      switch result {
      case .success(let result): (try? result.pixels, result.report, nil)
      case .failure(let error): (nil, nil, "\(error)")
      }
    }
  }

  @Test("make the pictures that each makes alone, whoever shares the passes and whatever the budget")
  func sameBits() async throws {
    let free = try editor()
    var alone: [Picture] = []
    for request in mixed { alone.append(try await free.run(request).pixels) }
    #expect(Set(alone.map(\.pixels)).count == alone.count)
    let whole = try free.prepare(together: mixed)
    #expect(!whole.runsSideBySide, "nothing is streamed")
    // Everything fits, something is streamed, nearly everything is.
    for spare in [0, 3_000_000, 6_000_000] {
      let limit = whole.plan.peak - spare
      let group = try editor(limit: limit).prepare(together: mixed)
      #expect(group.plan.peak <= limit)
      if spare > 0 { #expect(group.runsSideBySide) }
      let made = await outcomes(group)
      #expect(made.map(\.pixels) == alone)
      #expect(made.map(\.report?.evaluations) == group.jobs.map(\.evaluations))
    }
    // And in another company.
    let other = try editor(limit: whole.plan.peak - 6_000_000).prepare(together: [mixed[5], mixed[0]])
    #expect(await outcomes(other).map(\.pixels) == [alone[5], alone[0]])
  }

  @Test("read hardly more weights than one of them, as the plan says") func bytes() async throws {
    func requests(_ count: Int) -> [EditRequest] {
      let methods: [EditMethod] = [
        .sdedit(steps: 4, strength: 1, guidance: 1), .inpaint(steps: 4, guidance: 1),
        .generate(steps: 4, guidance: 1), .scoreDistillation(steps: 4, guidance: 1),
      ]
      return (0..<count).map { i in
        var request = request(methods[i % 4], "a red cube \(i)", seed: UInt64(i))
        if i % 4 == 1 {
          request.mask = MaskPicture(width: 64, height: 64, pixels: .init(repeating: 255, count: 4096))
        }
        if i % 4 == 2 { request.picture = nil }
        return request
      }
    }
    let least = try editor().prepare(together: requests(8)).plan
    let limit = least.peak - 2_000_000
    func bytes(_ count: Int) async throws -> Int {
      let group = try editor(limit: limit).prepare(together: requests(count))
      let made = await outcomes(group)
      let read = try #require(made.last?.report?.streamed.first { $0.stage == "denoise" })
      let work = try #require(group.plan.stages.first { $0.name == "denoise" }?.work)
      #expect(read.bytes == work.passes * work.bytesPerPass && read.passes == work.passes)
      #expect(made.allSatisfy { $0.report?.editsTogether == count })
      return read.bytes + work.bytesOnce
    }
    let (one, eight) = (try await bytes(1), try await bytes(8))
    #expect(Double(eight) <= 1.3 * Double(one), "\(eight) bytes for eight, \(one) for one")
  }

  @Test("do not take each other down") func failures() async throws {
    var requests = [
      mixed[0], request(.deltaDenoisingScore(steps: 3, learningRate: 1e12), "a", from: "b"), mixed[4],
    ]
    let free = try editor()
    var alone: [Picture] = []
    for i in [0, 2] { alone.append(try await free.run(requests[i]).pixels) }
    let whole = try free.prepare(together: requests)
    for limit in [nil, whole.plan.peak - 6_000_000] {
      let made = await outcomes(try editor(limit: limit).prepare(together: requests))
      #expect(made[0].pixels == alone[0] && made[2].pixels == alone[1])
      #expect(made[1].error?.contains("dds") == true && made[1].pixels == nil)
    }
    // All of them: nobody is left waiting.
    requests = [requests[1], requests[1]]
    let none = await outcomes(try editor(limit: whole.plan.peak - 6_000_000).prepare(together: requests))
    #expect(none.allSatisfy { $0.error != nil })
  }

  @Test("stop between two steps and go on from their journals with the same bits") func goesOn() async throws
  {
    let requests = [mixed[0], mixed[1], mixed[5]]
    let whole = try editor().prepare(together: requests)
    let limit = whole.plan.peak - 6_000_000
    let undisturbed = await outcomes(try editor(limit: limit).prepare(together: requests)).map(\.pixels)
    let folder = FileManager.default.temporaryDirectory.appending(path: "group-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func journals() throws -> [FileJournal?] {
      try requests.indices.map { try FileJournal(path: folder.appending(path: "\($0).run").path) }
    }
    // So often it is asked whether to stop before it does.
    for patience in [6, 16, 22] {
      let left = Mutex(patience)
      let stopped = await outcomes(
        try editor(limit: limit).prepare(together: requests), journals: try journals()
      ) {
        left.withLock { left in
          left -= 1
          return left < 0
        }
      }
      #expect(stopped.allSatisfy { $0.pixels == nil && $0.error?.contains("CancellationError") == true })
    }
    let kept = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(!kept.isEmpty, "nothing was kept")
    let finished = await outcomes(
      try editor(limit: limit).prepare(together: requests), journals: try journals())
    #expect(finished.map(\.pixels) == undisturbed)
  }

  @Test("keep networks open for those that follow, as far as there is room for all that are open")
  func shelf() async throws {
    func sized(_ side: Int) -> EditRequest {
      var sized = request(.sdedit(steps: 2))
      sized.size = .box(Extent(width: side, height: side))
      return sized
    }
    // Of one size there are four; the text encoder is that of every size.
    let large = try editor().prepare(together: [sized(128)])
    for (limit, open) in [(large.peakWithAllNetworks, 4), (2 * large.peakWithAllNetworks, 7), (nil, 7)] {
      let (editor, shelf) = (try editor(limit: limit), NetworkShelf())
      for side in [64, 128] {
        let edits = editor.grouped([try editor.prepareForGroup(sized(side))]).edits
        await edits.run(journals: [], shelf: shelf, isStopped: { false }, progress: { _, _ in }) {
          _, result in
          if case .failure(let error) = result { Issue.record("\(error)") }
        }
      }
      #expect(shelf.count == open, "limit \(limit ?? 0)")
    }
    let (editor, shelf) = (try editor(), NetworkShelf())
    for side in [64, 96, 128, 160, 192] {
      let edits = editor.grouped([try editor.prepareForGroup(sized(side))]).edits
      await edits.run(journals: [], shelf: shelf, isStopped: { false }, progress: { _, _ in }) { _, _ in }
    }
    #expect(shelf.count == 12, "those of the last run, and of two before it")
  }

  @Test("have one working size and ask for the same values of the network") func differ() throws {
    var large = mixed[0]
    large.size = .box(Extent(width: 128, height: 128))
    #expect(throws: EditGroupError.self) { _ = try editor().prepare(together: [mixed[0], large]) }
    let tuned = request(.promptTuningInversion(steps: 2), from: nil)
    #expect(throws: EditGroupError.self) { _ = try editor().prepare(together: [mixed[0], tuned]) }
    #expect(try editor().prepare(together: [tuned, tuned]).gradients > 0)
  }

  @Test("tune one after the other, over one network") func gradients() async throws {
    let requests = [
      request(.promptTuningInversion(steps: 2), picture: 1),
      request(.promptTuningInversion(steps: 2), "a green ball", seed: 2),
    ]
    let free = try editor()
    var alone: [Picture] = []
    for request in requests { alone.append(try await free.run(request).pixels) }
    let made = await outcomes(try free.prepare(together: requests))
    #expect(made.map(\.pixels) == alone)
    #expect(
      made.allSatisfy { $0.report!.gradients > 0 && $0.report!.gradients == $0.report!.plannedGradients })
  }
}
