import ArgumentParser
import Batch
import Files
import FoundationEssentials
import ImageFiles
import Pentimento
import Platform

struct BatchCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "batch",
    abstract: "Edit many pictures with one model; the same command resumes an interrupted batch.",
    discussion: """
      JOBS is a file with a JSON object a line, whose keys are the options of 'edit' without their dashes, and id or \
      output for the name of the result, save_mask and save_inversion for names of those; or a folder, every file of which is edited with the options given here; or -, \
      for lines from standard input, each answered with one on standard output. A list of prompts or seeds in a job makes \
      an edit of each and, when all are done, a sheet of them ("sheet": false leaves it out). Options of 'edit' given here hold for jobs that say nothing else; of repeatable ones the job's come \
      in addition. Paths are those of the working directory.

      Jobs of one working size share each reading of the weights, as far as the memory allows. The folder of the results \
      has a journal; jobs that are done are not done again. The table at the end goes to standard error and to \
      summary.json. --dry-run says what would be done.

      Exit status: 0 all is done; 1 jobs failed (from standard input, 0: each is answered); 64 wrong use; 66 the model \
      could not be used; 73 nothing could be recorded, or another batch is using the folder; 75 stopped by --until or a \
      signal, the same command goes on.
      """)

  @Argument(help: "A file of jobs, a folder of pictures, or - for standard input.", completion: .file())
  var jobs: String

  @Option(
    help: ArgumentHelp("Where the results go; it is made where there is none.", valueName: "folder"),
    completion: .directory)
  var out: String

  @OptionGroup var edit: EditOptions

  @Flag(
    help:
      "Say which jobs would run, which of them together, and what that takes. Nothing is computed or written."
  )
  var dryRun = false

  @Option(help: "Of results whose jobs give no name: png, jpg or ppm.")
  var format = PictureFormatName.png

  @Flag(help: "Replace files that are in the way. Without it a job whose result is there already fails.")
  var force = false

  @Option(
    help: ArgumentHelp(
      "At this time finish the step, save what is under way and end with status 75.",
      valueName: "hours:minutes"))
  var until: TimeOfDay?

  @Option(
    help: ArgumentHelp(
      "Do the i-th of n parts of the jobs; of /n, the part that Slurm, Kubernetes or GNU parallel say (default: that of "
        + "a Slurm array, else all).", valueName: "i/n"))
  var shard: String?

  @Option(help: "json: a line for every job instead of the paths of the results.")
  var report: ReportFormat?

  @OptionGroup var encoding: EncodingOptions
  @OptionGroup var messages: MessageOptions
  @OptionGroup var runtime: RuntimeOptions

  /// Set by a signal that asks the batch to end.
  private static let stop = StopFlag()

  var computing: ThreadOptions? { runtime.model.parallel }
  var manner: Messages.Manner { messages.manner }
  var reportsJSON: Bool { report == .json }

  func interrupt(_ task: Task<Void, Never>) { Self.stop.set() }

  func run() async throws {
    try checkCommon()
    let own = try Array(programArguments().dropFirst())
    let editor = try runtime.editor(RunFiles(read: edit.readPaths + (jobs == "-" ? [] : [jobs])))
    var batch = Batch(editor, into: out, work(own, on: editor.model))
    (batch.common, batch.replaces, batch.shard) = (
      edit.words(of: own, without: jobs), force, try part
    )
    let deadline = until?.next
    batch.isStopped = { Self.stop.isSet || deadline.map { Date() >= $0 } ?? false }
    if dryRun { return try tell(batch.plan(source(batch))) }
    let line = ProgressLine()
    batch.work.progress = { line.show($0, of: $1) }
    defer { line.clear() }
    let watch = RunWatch(stage: { Messages.stage($0) })
    let summary = try await RunWatch.$current.withValue(watch) { try await batch.run(source(batch)) }
    line.clear()
    Messages.stage(nil)
    if jobs != "-" { Messages.show(summary.table) }
    if summary.wasStopped { throw BatchEnd.stopped(left: summary.count(.left)) }
    let failed = summary.count(.failed) + summary.sheets.count { $0.state == .failed }
    if failed > 0, jobs != "-" { throw BatchEnd.failed(failed, of: summary.jobs.count) }
  }

  private func source(_ batch: Batch) throws -> any JobSource {
    var isFolder = false
    if jobs == "-" {
      return JobStream(
        descriptor: STDIN_FILENO, fileExtension: format.rawValue, isStopped: batch.isStopped)
    }
    if FileManager.default.fileExists(atPath: jobs, isDirectory: &isFolder), isFolder {
      guard FileIdentity(jobs) != FileIdentity(out) else {
        throw ValidationError(
          "--out is the folder of the pictures: its results would be edited by the next run, so name another")
      }
      return try JobList(folder: jobs, shard: batch.shard, fileExtension: format.rawValue)
    }
    let text = try FileReader.contents(of: jobs, limit: 256 << 20)
    return JobList(lines: text, file: jobs, shard: batch.shard, fileExtension: format.rawValue)
  }

  private func tell(_ plan: BatchPlan) throws {
    if report == .json { return try StandardOutput.write(json: plan) }
    try StandardOutput.write(plan.table.printable(keepsLines: true))
  }

  /// The part of the jobs that this run does.
  private var part: Shard {
    get throws {
      let environment = ProcessInfo.processInfo.environment
      guard let shard else {
        let part = jobs == "-" ? .whole : try Shard(environment: environment)
        if part != .whole {
          note("part \(part.index + 1) of \(part.count), as the Slurm array has it: --shard 1/1 does all")
        }
        return part
      }
      guard jobs != "-" else {
        throw ValidationError("--shard is for a list of jobs, not for standard input")
      }
      return try Shard(parsing: shard, environment: environment)
    }
  }

  /// - Parameters:
  ///   - own: the words of this command.
  ///   - adapted: the model that is run.
  private func work(_ own: [String], on adapted: Model) -> Batch.Work {
    let (folder, reports, keepsMetadata) = (out, jobs == "-" || report == .json, !encoding.noMetadata)
    let (quality, model) = (encoding.quality, runtime.model)
    @Sendable func path(_ file: String) -> String { "\(folder)/\(file)" }
    @Sendable func outputs(_ job: BatchJob) throws -> EditOutputs {
      let picture = try PictureOutput(path(job.output), format: nil, quality: quality)
      let mask = try job.mask.map {
        try PictureOutput(path($0), format: nil, quality: nil, isMask: true)
      }
      return EditOutputs(
        pictures: [picture], mask: mask, inversion: job.inversion.map(path), keepsEXIF: keepsMetadata)
    }
    // Before the folder is made, nothing can be tried in it.
    let isThere = !dryRun || FileManager.default.fileExists(atPath: out)
    var work = Batch.Work(
      request: { job in
        // Words of a job are those of an edit; what is for the batch is unknown there.
        if let wrong = WrongWords([EditCommand.configuration.commandName!] + job.words) { throw wrong }
        _ = try EditOptions.parse(job.words)
        let merged = try BatchCommand.parse(own + job.words)
        try merged.checkCommon()
        let options = merged.edit
        guard !options.sources.contains(where: PictureOutput.isStream) else {
          throw ValidationError("a job's pictures are files, not pipes or standard input: name a file")
        }
        let outputs = try outputs(job)
        try RunFiles(read: options.readPaths, written: isThere ? outputs.named : []).check()
        if isThere { try outputs.check() }
        var request = try options.request(on: adapted).request
        request.keepsInversion = job.inversion != nil
        return request
      },
      write: { job, result in
        // As the same edit alone: a batch leaves nothing in its results that they could not be made from again.
        let outputs = try outputs(job)
        let record = try result.record.map { record in
          try model.completed(record, command: "edit").of(outputs.pictures[0].encoding)
        }
        let metadata = keepsMetadata ? record.map(result.report.metadata) ?? [] : []
        try outputs.write([result.picture], of: result, metadata: [metadata])
      },
      writeSheet: { pictures, columns, path in
        try Self.writeSheet(pictures, columns, PictureOutput(path, format: nil, quality: quality))
      },
      explain: { error in
        let status = BatchCommand.isParsers(error) ? ExitStatus.usage : ExitStatus(error)
        return (BatchCommand.words(for: error), Int(status.rawValue))
      },
      tell: { outcome in
        if reports { return try StandardOutput.write(jsonLine: jsonLine(outcome)) }
        switch outcome.state {
        case .done: try StandardOutput.write(path: "\(folder)/\(outcome.output ?? "")")
        case .failed: Messages.complain("\(outcome.job): \(outcome.error ?? "")")
        case .left: break
        }
      })
    work.check = { job, edit in
      guard job.mask == nil || edit.hasMask else { throw MaskNotMade(method: edit.methodName) }
    }
    return work
  }

  /// Pictures from their files, none of them longer than a sheet has room for.
  private static func writeSheet(
    _ pictures: [(number: Int, path: String?)], _ columns: Int, _ output: PictureOutput
  ) throws {
    let side = max(64, min(512, 4096 / columns))
    var first: Extent?
    let small = try pictures.map { number, path -> (label: Double, picture: (any PictureSource)?) in
      let picture = try path.map { path -> ScaledPicture in
        let picture = try OpenPicture(path)
        let scaled = first.map { ScaledPicture(picture, to: $0) } ?? ScaledPicture(picture, within: side)
        first = scaled.extent
        return scaled
      }
      return (Double(number), picture)
    }
    try PictureFile.write(PictureSheet(small, columns: columns), to: output.path, quality: 92)
  }

  /// What every edit of a batch does without.
  private func checkCommon() throws {
    guard edit.region.saveMask == nil, edit.inversion.saveInversion == nil else {
      throw ValidationError(
        "--save-mask and --save-inversion name one file: give names in the jobs (save_mask, save_inversion)")
    }
    try edit.noise.refuseDrawn("a batch goes on with the same command")
    guard try edit.settings.list.isEmpty else {
      throw ValidationError("--\(SettingOptions.listed) takes one value in a batch: write a job for each")
    }
  }

  /// The sentence of an error; the parser's own are about the words of a job.
  private static func words(for error: any Error) -> String {
    isParsers(error) ? message(for: error) : sentence(for: error)
  }

  private static func isParsers(_ error: any Error) -> Bool {
    String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
  }
}

extension EditOptions {
  /// The words that hold for every job: without those that say which jobs there are and what they run on.
  ///
  /// - Parameter jobs: the argument that names the list.
  fileprivate func words(of own: [String], without jobs: String) -> [String] {
    var (words, rest) = ([String](), own[...])
    while let word = rest.popFirst() {
      let name = String(word.prefix { $0 != "=" })
      if unimportantFlags.contains(name) { continue }
      if unimportantOptions.contains(name) {
        if name == word { rest = rest.dropFirst() }
        continue
      }
      words.append(word)
    }
    // The list's name is no option's value, if that can be told.
    let places = words.indices.filter { words[$0] == jobs }
    if let place = places.first(where: { $0 == 0 || !words[$0 - 1].hasPrefix("-") }) ?? places.last {
      words.remove(at: place)
    }
    return words
  }
}

/// Words of the batch that do not make another job of a job, with their values and without.
private let unimportantOptions: Set<String> = [
  "--out", "--until", "--shard", "--report", "--format", "--threads", "-t", "--isa", "--max-ram",
  "--progress", "--progress-every",
]
private let unimportantFlags: Set<String> = [
  "--force", "--dry-run", "--quiet", "-q", "--verbose", "-v",
]

/// How a batch ends that is not done.
enum BatchEnd: Error, CustomStringConvertible {
  case stopped(left: Int)
  case failed(Int, of: Int)

  var description: String {
    switch self {
    case .stopped(let left):
      "stopped, \(left == 1 ? "1 job is" : "\(left) jobs are") left: the same command goes on"
    case .failed(let failed, let all): "\(failed) of \(all) jobs failed: summary.json has their errors"
    }
  }
}

/// A time of the day, as a clock shows it.
struct TimeOfDay: ExpressibleByArgument {
  var hours: Int
  var minutes: Int

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let hours = parts[0], let minutes = parts[1], (0..<24).contains(hours),
      (0..<60).contains(minutes)
    else { return nil }
    (self.hours, self.minutes) = (hours, minutes)
  }

  /// When it is next so late, in local time.
  var next: Date {
    var now = time(nil)
    var parts = tm()
    localtime_r(&now, &parts)
    (parts.tm_hour, parts.tm_min, parts.tm_sec) = (Int32(hours), Int32(minutes), 0)
    parts.tm_isdst = -1
    var day = parts
    var then = mktime(&day)
    if then <= now {
      parts.tm_mday += 1
      then = mktime(&parts)
    }
    return Date(timeIntervalSince1970: TimeInterval(then))
  }
}
