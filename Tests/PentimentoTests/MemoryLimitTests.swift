import Editing
import Foundation
import Pentimento
import Tensors
import Testing

@Suite("A limit on memory") struct MemoryLimitTests {
  private let model = try! Model(
    folder: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Weights/embedded").standardizedFileURL)

  /// The other tests of this process make it grow meanwhile.
  private static let baseline = 20_000_000

  private func request(_ side: Int = 64) -> EditRequest {
    var request = EditRequest(.sdedit(steps: 4))
    request.size = .box(Extent(width: side, height: side))
    request.picture = Picture(
      width: side, height: side, pixels: (0..<side * side * 3).map { UInt8($0 * 7 % 256) })
    request.prompt = "a red cube"
    return request
  }

  /// The stage that does not fit, whose limit that is, and the sentence; nil where everything fits.
  private func refusal(
    _ body: () throws -> EditJob
  ) throws -> (stage: String, limitedBy: MemoryLimit.Source, words: String)? {
    do {
      _ = try body()
      return nil
    } catch let error as RequestError {
      if case .overBudget(let stage, _, _, let source, _) = error { return (stage, source, "\(error)") }
      throw error
    }
  }

  @Test("is kept by the plan, and the picture is the same byte for byte") func sameBytes() async throws {
    let free = try Editor(
      model: model, threads: 2, maximumMemory: nil, reachable: nil, baseline: Self.baseline)
    let whole = try free.prepare(request()).plan
    let limit = whole.peak - 6_000_000
    let bounded = try Editor(
      model: model, threads: 2, maximumMemory: limit, reachable: nil, baseline: Self.baseline)
    let plan = try bounded.prepare(request()).plan
    #expect(plan.peak <= limit)
    let weights = { (plan: MemoryPlan) in plan.stages.map(\.residentWeights).max()! }
    #expect(weights(plan) < weights(whole), "nothing is streamed")
    // The two predictions of guidance share a pass, each with its activations.
    let arena = { (plan: MemoryPlan) in plan.stages.first { $0.name == "denoise" }!.arena }
    #expect(arena(plan) >= 2 * arena(whole))
    let results = [try await free.run(request()), try await bounded.run(request())]
    #expect(try results[0].pixels == results[1].pixels)
  }

  @Test("makes a run read the weights that the plan says, and the report says how many") func bytesRead()
    async throws
  {
    let free = try Editor(
      model: model, threads: 1, maximumMemory: nil, reachable: nil, baseline: Self.baseline)
    let whole = try free.prepare(request())
    #expect(try await whole.run().report.streamedBytes == 0)
    for missing in [3_000_000, 6_000_000] {
      let bounded = try Editor(
        model: model, threads: 1, maximumMemory: whole.plan.peak - missing, reachable: nil,
        baseline: Self.baseline)
      let job = try bounded.prepare(request())
      let report = try await job.run().report
      let work = job.plan.stages.compactMap(\.work)
      let planned = work.reduce(0) { $0 + $1.bytes - $1.bytesOnce }
      #expect(planned > 0)
      #expect(report.streamedBytes == planned)
      #expect(report.streamed.contains { $0.stage == "denoise" && $0.passes > 1 })
      #expect(report.streamed.allSatisfy { $0.readSeconds > 0 && (0...1).contains($0.overlap) })
      #expect(report.stalledSeconds <= report.seconds)
    }
  }

  @Test("that a network cannot keep is refused by the name of the stage, with the figure that is needed")
  func tooLittle() throws {
    func plan(_ limit: Int) throws -> MemoryPlan {
      try Editor(model: model, threads: 2, maximumMemory: limit, reachable: nil, baseline: Self.baseline)
        .prepare(request(256)).plan
    }
    do {
      _ = try plan(22_000_000)
      Issue.record("2 MB were enough")
    } catch RequestError.overBudget(let stage, let needed, let budget, let source, _) {
      #expect(budget == 22_000_000 && source == .caller)
      // The stage that needs most is named: what is asked for is enough for all of them, and a byte less is not.
      #expect(stage == "decode")
      #expect(try plan(needed).peak <= needed)
      #expect(throws: RequestError.self) { try plan(needed - 1) }
    }
  }

  @Test("that is refused says what would do with pictures in halves, where that is less")
  func halves() throws {
    func refusal(_ side: Int, _ activations: ActivationPrecision) throws -> (needed: Int, inHalves: Int?) {
      do {
        _ = try Editor(
          model: model.computing(activations: activations), threads: 2, maximumMemory: 22_000_000,
          reachable: nil, baseline: Self.baseline
        ).prepare(request(side))
      } catch RequestError.overBudget(_, let needed, _, _, let halves) {
        return (needed, halves)
      }
      Issue.record("2 MB were enough for \(side) pixels")
      return (0, nil)
    }
    for side in [128, 192, 256, 512] {
      let (floats, halves) = (try refusal(side, .f32), try refusal(side, .f16))
      #expect(floats.inHalves == (halves.needed < floats.needed ? halves.needed : nil), "\(side)")
      #expect(halves.inHalves == nil)
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

  @Test("in a control group is what others in it leave, of whom page cache does not count") func neighbours()
  {
    let (two, one) = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory")
    func limit(_ groups: String, own: Int, _ files: [String: String]) -> Int? {
      ProcessMemory.controlGroupLimit(groups, own: own) { files[$0] }
    }
    let mine = ["\(two)/a/memory.max": "700\n", "\(two)/a/memory.stat": "anon 130\nfile 500\n"]
    #expect(limit("0::/a\n", own: 30, mine) == 600)
    #expect(limit("0::/a\n", own: 140, mine) == 700, "a figure that is older than the other")
    let around = mine.merging(
      ["\(two)/memory.max": "900\n", "\(two)/memory.stat": "anon 480\n"], uniquingKeysWith: { a, _ in a })
    #expect(limit("0::/a\n", own: 30, around) == 450, "the neighbours of the group count where they are")
    #expect(
      limit(
        "4:memory:/a\n", own: 5,
        ["\(one)/a/memory.limit_in_bytes": "90\n", "\(one)/a/memory.stat": "rss 1\ntotal_rss 25\n"]) == 70)
    #expect(limit("0::/a\n", own: 0, mine.merging(["\(two)/a/memory.max": "100\n"]) { $1 }) == 0)
  }

  @Test("that shrinks while a run goes on is missed by what the plan lacks, and a little more")
  func pressure() {
    func missing(_ reachable: Int?) -> Int {
      MemoryPressure(planned: 400_000_000, reachable: { reachable }, signs: { PressureSigns() }).missing()
    }
    #expect(missing(nil) == 0 && missing(400_000_000) == 0)
    #expect(missing(350_000_000) == 50_000_000 + MemoryPressure.margin)
  }

  @Test("that is too small is named in megabytes of 10⁶ bytes, rounded so that they would do") func units() {
    let error = RequestError.overBudget(stage: "denoise", needed: 7_000_001, budget: 6_999_999)
    #expect(
      "\(error)" == "the stage \"denoise\" needs at least 8 MB and 6 MB are allowed: "
        + "use a smaller working size, or allow more memory")
    let other = RequestError.overBudget(stage: "decode", needed: 9, budget: 1, inHalves: 3_000_001)
    #expect("\(other)".hasSuffix("or allow more memory, or keep pictures in halves, which needs 4 MB"))
  }

  @Test("is the lesser of what the caller allows and what can be had, and a refusal says whose it is")
  func lesser() throws {
    let group = MemoryLimit(bytes: 60_000_000, source: .controlGroup)
    func editor(_ allowed: Int?, _ reachable: MemoryLimit?) throws -> Editor {
      try Editor(
        model: model, threads: 1, maximumMemory: allowed, reachable: reachable, baseline: Self.baseline)
    }
    #expect(try editor(2_000_000_000, group).memoryLimit == group)
    #expect(try editor(nil, group).memoryLimit == group)
    #expect(try editor(50_000_000, group).memoryLimit == MemoryLimit(bytes: 50_000_000, source: .caller))
    #expect(try editor(nil, nil).memoryLimit == nil)

    // A plan keeps to the group's limit whatever the caller allows.
    let whole = try editor(nil, nil).prepare(request()).plan
    let least = MemoryLimit(bytes: whole.peak - 6_000_000, source: .controlGroup)
    #expect(try editor(2_000_000_000, least).prepare(request()).plan.peak <= least.bytes)

    let sources: [(MemoryLimit.Source, String)] = [
      (
        .controlGroup,
        "MB are allowed by the control group of this process: use a smaller working size, or raise"
      ),
      (.machine, "MB can be had on this machine: use a smaller working size, or free some memory"),
    ]
    for (source, words) in sources {
      let limit = MemoryLimit(bytes: whole.baseline + 1_000_000, source: source)
      let refusal = try refusal { try editor(2_000_000_000, limit).prepare(request(256)) }
      #expect(refusal?.limitedBy == source && refusal?.words.contains(words) == true)
    }
  }

  @Test("counts what reading and writing pictures of any size takes") func pictures() throws {
    let editor = try Editor(
      model: model, threads: 1, maximumMemory: nil, reachable: nil, baseline: Self.baseline)
    let alone = try editor.prepare(request()).plan
    /// Says that a pass takes many bytes.
    struct Costly: PictureSource {
      let picture: any PictureSource
      var extent: Extent { picture.extent }
      var passBytes: Int { 90_000_000 }
      func pass() throws -> any RowPass { try picture.pass() }
    }
    var costly = request()
    costly.picture = Costly(picture: costly.picture!)
    let plan = try editor.prepare(costly).plan
    #expect(plan.largestStage?.name == "read picture" && plan.largestStage!.stored >= 90_000_000)
    let limited = try Editor(
      model: model, threads: 1, maximumMemory: alone.peak + 12_000_000, reachable: nil,
      baseline: Self.baseline)
    #expect(try refusal { try limited.prepare(costly) }?.stage == "read picture")
  }
}
