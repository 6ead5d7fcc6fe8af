import Foundation
import Testing

@Suite("pentimento doctor", .serialized) struct DoctorTests {
  private struct Report: Decodable {
    struct Check: Decodable {
      var subject: String, state: String, finding: String, advice: String?, status: Int32?
    }
    struct Machine: Decodable {
      struct Processor: Decodable { var instructionSets: [String], chosen: String, sharesBits: Bool }
      struct Memory: Decodable { var reachable: Int?, physical: Int? }
      var processor: Processor, memory: Memory
    }
    struct Model: Decodable { var path: String, plannedPeakBytes: Int?, bytesPerSecond: Double? }
    struct Reference: Decodable { var digest: String, isKnown: Bool, peakBytes: Int }
    var version: String, status: Int32, checks: [Check], machine: Machine, model: Model?
    var referenceEdit: Reference?

    subscript(subject: String) -> Check? { checks.first { $0.subject == subject } }
  }

  /// Nothing of it may reach the user's own cache folder.
  private static func run(
    _ arguments: [String] = [], in place: Workplace, model: URL? = Command.embeddedModel,
    environment: [String: String] = [:]
  ) async throws -> Command.Run {
    try await Command.run(
      ["doctor", "--threads", "2"] + arguments, in: place, model: model,
      environment: ["XDG_CACHE_HOME": place.path("cache")].merging(environment) { _, given in given })
  }

  /// All that is on standard output.
  private static func report(_ run: Command.Run) throws -> Report {
    try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
  }

  @Test("finds that edits work here, and makes the picture that is known bit for bit")
  func works() async throws {
    let run = try await Self.run(in: Workplace())
    #expect(run.exited && run.status == Status.done, "\(run.output) \(run.errors)")
    let lines = run.output.split(separator: "\n").map(String.init)
    #expect(lines.last == "edits work here")
    for subject in [
      "processor", "cores", "memory", "libpng", "zlib", "libturbojpeg", "cache", "vocabulary", "model",
      "plan",
      "storage", "reference edit",
    ] {
      #expect(lines.contains { $0.dropFirst(9).hasPrefix(subject + " ") }, "\(subject): \(run.output)")
    }
    #expect(run.output.contains("the known picture, bit for bit"), "\(run.output)")
    #expect(run.errors == "")
  }

  @Test("says the same to programs, with every set of instructions")
  func json() async throws {
    let place = try Workplace()
    let first = try Self.report(await Self.run(["--report", "json"], in: place))
    #expect(first.version == "0.1.0" && first.status == 0)
    #expect(first.checks.allSatisfy { ["ok", "warning"].contains($0.state) && !$0.finding.isEmpty })
    #expect(first.checks.allSatisfy { ($0.state == "ok") == ($0.advice == nil) && $0.status == nil })
    let memory = first.machine.memory
    #expect(try #require(memory.reachable) <= #require(memory.physical))
    let model = try #require(first.model)
    #expect(model.path == Command.embeddedModel.path && model.bytesPerSecond ?? 0 > 0)
    #expect(first.referenceEdit?.isKnown == true && first.referenceEdit?.peakBytes ?? 0 > 10_000_000)
    for set in first.machine.processor.instructionSets.dropLast() {
      let report = try Self.report(await Self.run(["--report", "json", "--isa", set], in: place))
      #expect(report.machine.processor.chosen == set && report.status == 0)
      if report.machine.processor.sharesBits {
        #expect(report.referenceEdit?.digest == first.referenceEdit?.digest, "\(set)")
      }
      // A slower set than there is.
      #expect(
        report["processor"]?.state == "warning" && report["processor"]?.advice?.contains("--isa") == true)
    }
  }

  @Test("says of a model that cannot be opened what an edit says, and what to do")
  func brokenModel() async throws {
    let place = try Workplace()
    let nowhere = place.url("nowhere")
    let run = try await Self.run(in: place, model: nowhere)
    #expect(run.exited && run.status == Status.badModel, "\(run.output) \(run.errors)")
    #expect(run.output.contains("problem  model "))
    #expect(run.output.contains("→ PENTIMENTO_MODEL names this model: "))
    #expect(run.output.contains("\(Command.embeddedModel.path) is used"))
    // The program's own model is there all the same.
    #expect(run.output.contains("the known picture, bit for bit"))
    #expect(run.errors.contains("an edit would not work here and end with status 66: see model above"))

    // One object, with the status in it.
    let json = try await Self.run(["--report", "json"], in: place, model: nowhere)
    #expect(json.status == Status.badModel)
    let report = try Self.report(json)
    #expect(report.status == Status.badModel && report["model"]?.status == Status.badModel)
    #expect(report.model == nil)
    let edit = try await Command.run(
      ["edit", "-i", "photo.png", "-p", "a cat", "-o", "out.png"], in: .furnished(), model: nowhere)
    #expect(edit.status == run.status)

    let config = "unet/config.json"
    let damaged = try place.addModel("damaged", replacing: config, by: Array("no JSON".utf8))
    let named = try await Self.run(["-m", damaged.path], in: place)
    #expect(named.status == Status.badModel && named.output.contains(config))
    #expect(!named.output.contains("PENTIMENTO_MODEL"))
  }

  /// A file that is no library stands before the real one.
  @Test("warns of a libturbojpeg that cannot be used: edits of PNG work")
  func noTurboJPEG() async throws {
    let place = try Workplace()
    try place.add("libturbojpeg.so.0", Array("no library".utf8))
    let run = try await Self.run(in: place, environment: ["LD_LIBRARY_PATH": place.url.path])
    #expect(run.status == Status.done, "\(run.output) \(run.errors)")
    #expect(run.output.contains("warning  libturbojpeg"))
    #expect(run.output.contains("apt-get install libturbojpeg0"))
    #expect(run.output.hasSuffix("edits work here\n"))
  }

  @Test("warns of a cache folder that cannot be written")
  func noCache() async throws {
    let run = try await Self.run(in: Workplace(), environment: ["XDG_CACHE_HOME": "/proc/nothing"])
    #expect(run.status == Status.done, "\(run.output) \(run.errors)")
    #expect(run.output.contains("warning  cache") && run.output.contains("/proc/nothing/pentimento"))
    let homeless = try await Self.run(in: Workplace(), environment: ["XDG_CACHE_HOME": "none"])
    #expect(homeless.output.contains("set XDG_CACHE_HOME or HOME to a folder"), "\(homeless.output)")
  }

  @Test("names a control group that leaves too little memory, and ends as an edit would")
  func tooLittleMemory() async throws {
    let place = try Workplace.furnished()
    let script = """
      root=/sys/fs/cgroup/memory; group=$root/pentimento-test-$$
      mkdir $group 2>/dev/null || exit 77
      if ! echo 32000000 >$group/memory.limit_in_bytes || ! echo $$ >$group/cgroup.procs; then rmdir $group; exit 77; fi
      $pentimento "$@"; status=$?
      echo $$ >$root/cgroup.procs; rmdir $group; exit $status
      """
    func limited(_ arguments: [String]) async throws -> Command.Run {
      try await Command.shell(
        script, arguments, in: place, model: Command.embeddedModel,
        environment: ["XDG_CACHE_HOME": place.path("cache")])
    }
    let run = try await limited(["doctor", "--threads", "2"])
    guard run.status != 77 else { return }  // no such control group here
    #expect(run.exited && run.status == Status.overBudget, "\(run.output) \(run.errors)")
    #expect(run.output.contains("warning  memory") && run.output.contains("control groups leave 31 MB"))
    #expect(run.output.contains("raise the limit of the group"))
    #expect(run.output.contains("are allowed by the control group of this process"))
    let edit = try await limited(["edit", "-i", "photo.png", "-p", "a cat", "-o", "out.png"])
    #expect(edit.status == run.status, "\(edit.errors)")
  }
}
