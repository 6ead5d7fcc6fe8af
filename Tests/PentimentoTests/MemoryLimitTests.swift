import Foundation
import Pentimento
import Tensors
import Testing

@Suite("A limit on memory") struct MemoryLimitTests {
  private let model = try! Model(
    folder: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Weights/embedded").standardizedFileURL)

  private func request(_ side: Int = 64) -> EditRequest {
    var request = EditRequest(method: "sdedit", width: side, height: side)
    request.picture = Picture(
      width: side, height: side, pixels: (0..<side * side * 3).map { UInt8($0 * 7 % 256) })
    request.prompt = "a red cube"
    request.settings = [.steps: .number(4)]
    return request
  }

  @Test("is kept by the plan, and the picture is the same byte for byte") func sameBytes() async throws {
    let free = Editor(model: model, threads: 2, maximumMemory: nil)
    let whole = try free.plan(request())
    let limit = whole.peak - 6_000_000
    let bounded = Editor(model: model, threads: 2, maximumMemory: limit)
    let plan = try bounded.plan(request())
    #expect(plan.peak <= limit)
    let weights = { (plan: MemoryPlan) in plan.stages.map(\.residentWeights).max()! }
    #expect(weights(plan) < weights(whole), "nothing is streamed")
    // The two predictions of guidance share a pass, each with its activations.
    let arena = { (plan: MemoryPlan) in plan.stages.first { $0.name == "denoise" }!.arena }
    #expect(arena(plan) >= 2 * arena(whole))
    let results = [try await free.run(request()), try await bounded.run(request())]
    #expect(results[0].picture == results[1].picture)
  }

  @Test("that a network cannot keep is refused by the name of the stage, with the figure that is needed")
  func tooLittle() throws {
    let editor = Editor(model: model, threads: 2, maximumMemory: nil)
    let baseline = try editor.plan(request()).baseline
    let limit = baseline + 2_000_000
    do {
      _ = try Editor(model: model, threads: 2, maximumMemory: limit).plan(request(256))
      Issue.record("2 MB were enough")
    } catch RequestError.overBudget(_, let needed, let budget) {
      #expect(budget == limit && needed > limit)
      // What is asked for is enough.
      _ = try Editor(model: model, threads: 2, maximumMemory: needed + 100_000_000).plan(request(256))
    }
  }

  @Test(
    "in a control group is the least of its own and those around it, in both versions of the kernel's files")
  func controlGroups() {
    func limit(_ groups: String, _ files: [String: String]) -> Int? {
      ProcessMemory.controlGroupLimit(groups) { files[$0] }
    }
    let two = "/sys/fs/cgroup"
    #expect(limit("0::/a/b\n", ["\(two)/a/b/memory.max": "700\n"]) == 700)
    #expect(
      limit("0::/a/b\n", ["\(two)/a/b/memory.max": "max\n", "\(two)/a/memory.max": "500\n"]) == 500)
    #expect(limit("0::/\n", ["\(two)/memory.max": "300\n"]) == 300)
    #expect(limit("0::/\n", [:]) == nil && limit("0::/a\n", ["\(two)/a/memory.max": "max\n"]) == nil)
    // A container of version 1: the path is the host's, its own group is mounted as the root.
    let one = "5:cpu,cpuacct:/x\n4:memory:/docker/17\n"
    #expect(limit(one, ["/sys/fs/cgroup/memory/memory.limit_in_bytes": "900\n"]) == 900)
    #expect(limit("nonsense\n", [:]) == nil)
  }

  @Test("that is too small is named in units of --max-ram, rounded so that it would do") func units() {
    let error = RequestError.overBudget(stage: "denoise", needed: (7 << 20) + 1, budget: (7 << 20) - 1)
    #expect("\(error)".contains("needs at least 8 MiB and 6 MiB are allowed: use a smaller --size or"))
  }

  @Test("counts the pictures around the run") func pictures() throws {
    let editor = Editor(model: model, threads: 1, maximumMemory: nil)
    let alone = try editor.plan(request())
    let photo = PictureMemory(reading: 36_000_000, holding: 12_000_000, writing: 84_000_000)
    let plan = try editor.plan(request(), pictures: photo)
    #expect(plan.held - alone.held == 12_000_000)
    #expect(plan.largestStage?.name == "write picture" && plan.largestStage?.stored == 84_000_000)
    #expect(throws: RequestError.self) {
      _ = try Editor(model: model, threads: 1, maximumMemory: alone.peak + 12_000_000)
        .plan(request(), pictures: photo)
    }
  }
}
