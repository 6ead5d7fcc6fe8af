import Editing
import Foundation
import Pentimento
import Synchronization
import Tensors
import Testing

@Suite("A prepared edit") struct EditJobTests {
  private let model = try! Model(
    folder: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Weights/embedded").standardizedFileURL)

  private func request(
    _ prompt: String = "a red cube", _ method: EditMethod = .sdedit(steps: 4)
  ) -> EditRequest {
    var request = EditRequest(method)
    request.picture = Picture(
      width: 64, height: 64, pixels: (0..<64 * 64 * 3).map { UInt8($0 * 7 % 256) })
    request.prompt = prompt
    request.size = .box(Extent(width: 64, height: 64))
    return request
  }

  @Test("says what a run takes, and runs as it said") func says() async throws {
    let editor = try Editor(model: model, threads: 2)
    let job = try editor.prepare(request())
    #expect(job.methodName == "sdedit" && job.request.prompt == "a red cube")
    let told = Mutex<[Int]>([])
    let result = try await job.run { done, total in told.withLock { $0 += [done, total] } }
    #expect(result.report.plannedPeakBytes == job.plan.peak)
    #expect(result.report.evaluations == job.evaluations)
    #expect(told.withLock { $0.suffix(2) } == [job.evaluations, job.evaluations])
  }

  @Test("makes the same picture every time it runs, and beside another") func again() async throws {
    let editor = try Editor(model: model, threads: 2)
    let (cube, ball) = (try editor.prepare(request()), try editor.prepare(request("a green ball")))
    let first = try await cube.run().pixels
    let alone = try await ball.run().pixels
    #expect(first != alone)
    async let again = cube.run()
    async let beside = ball.run()
    async let twice = cube.run()
    let pictures = try await [again, beside, twice].map { try $0.pixels }
    #expect(pictures == [first, alone, first])
  }

  @Test("makes the same picture for any number of lanes") func lanes() async throws {
    let whole = try Editor(model: model, threads: 1, maximumMemory: nil, reachable: nil, baseline: 20_000_000)
      .prepare(request())
    let editor = try Editor(
      model: model, threads: 1, maximumMemory: whole.plan.peak - 6_000_000, reachable: nil,
      baseline: 20_000_000)
    let jobs = try (1...3).map { try editor.prepare(request(), lanes: $0) }
    let arenas = jobs.map { $0.plan.stages.first { $0.name == "denoise" }!.arena }
    #expect(arenas[1] == 2 * arenas[0])
    let picture = try await whole.run().pixels
    for job in jobs { #expect(try await job.run().pixels == picture) }
  }

  @Test("stops at the evaluation at which its task is cancelled") func cancellation() async throws {
    var long = request("a red cube", .deltaDenoisingScore(steps: 100_000))
    long.sourcePrompt = "a cube"
    let job = try Editor(model: model, threads: 1).prepare(long)
    let last = Mutex(0)
    let task = Task {
      try await job.run { done, _ in
        last.withLock { $0 = done }
        // Called where the network computes: on its own thread, and still as part of the task.
        if done == 3 { withUnsafeCurrentTask { $0?.cancel() } }
      }
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(last.withLock { $0 } == 3)
  }

  /// The command adds its options, a library's user has none.
  @Test("is refused in words of the request") func words() {
    var wrong: [EditRequest] = [
      request("a red cube", .deltaDenoisingScore()), request(""), request(),
      request("a red cube", .ddpmInversion()),
    ]
    wrong[2].method!.settings["mask-ratio"] = .number(2)
    wrong[3].mask = MaskPicture(width: 8, height: 8, pixels: [UInt8](repeating: 255, count: 64))
    let sentences = wrong.map { request in
      do {
        _ = try Editor(model: model, threads: 1).prepare(request)
        return "nothing"
      } catch { return "\(error)" }
    }
    #expect(
      sentences.map { $0.prefix { $0 != ":" } } == [
        "dds needs a source prompt, which may be empty",
        "sdedit needs a prompt that says something", "sdedit has no use for the setting mask-ratio",
        "ddpm-inversion has no use for a mask",
      ])
    for sentence in sentences { #expect(!sentence.contains("--"), "\(sentence)") }
  }
}
