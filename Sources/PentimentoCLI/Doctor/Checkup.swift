import FoundationEssentials
import Pentimento
import Platform

/// Looks at everything that an edit needs, what is known at once first.
struct Checkup {
  /// What is left of it for a program.
  struct Report: Encodable {
    struct Used: Encodable {
      var path: String
      var family: String
      var nativeSize: Int
      var plannedPeakBytes: Int?
      var bytesPerSecond: Double?
      var multiplyAddsPerSecond: Double?
      var seconds: Double?
    }
    struct Reference: Encodable {
      var digest: String
      var isKnown: Bool
      var seconds: Double
      var peakBytes: Int
    }
    var version = programVersion
    var status: Int32 = 0
    var checks: [Finding] = []
    var machine: MachineFacts
    /// The one that an edit would take; nil where it cannot be opened.
    var model: Used?
    var referenceEdit: Reference?
  }

  private let named: String?
  private let threads: Int
  private let say: (Finding) throws -> Void
  private(set) var report: Report

  /// - Parameters:
  ///   - model: a path that was given.
  ///   - say: is told every finding as soon as it is one.
  init(model: String?, threads: Int, _ say: @escaping (Finding) throws -> Void) {
    (named, self.threads, self.say) = (model, threads, say)
    report = Report(machine: .find())
  }

  /// What keeps an edit from working; nil where nothing does.
  var problem: DoctorProblem? {
    let problems = report.checks.filter { $0.state == .problem }
    return problems.first.map {
      DoctorProblem(subjects: problems.map(\.subject), status: ExitStatus(rawValue: $0.status!)!)
    }
  }

  mutating func run() async throws {
    for finding in report.machine.findings { try add(finding) }
    try add(Self.vocabulary)
    try Task.checkCancellation()
    try checkModel()
    try Task.checkCancellation()
    try await checkEdit()
    report.status = problem?.status.rawValue ?? 0
  }

  private mutating func add(_ finding: Finding) throws {
    report.checks.append(finding)
    try say(finding)
  }

  // MARK: Models

  /// The tokenizer of models that bring none.
  private static var vocabulary: Finding {
    ModelLocation.hasPublishedVocabulary
      ? .ok("vocabulary", "CLIP's, for models in single files")
      : .warning(
        "vocabulary", "CLIP's was not found, and models in single files bring none",
        "install the folder clip of the package's Weights as share/pentimento/clip beside the program's bin")
  }

  /// The model that an edit would take: opened, compared with its hashes, planned, computed and read from.
  private mutating func checkModel() throws {
    let location: URL
    let model: Model
    do {
      location = try ModelLocation.find(named)
      model = try Model(at: location)
    } catch {
      return try add(.problem("model", sentence(for: error), ExitStatus(error), modelAdvice))
    }
    report.model = .init(path: location.path, family: model.family, nativeSize: model.nativeSize)
    let words = "\(model.family), \(model.nativeSize)×\(model.nativeSize)"
    try add(.ok("model", "\(words): \(location.path)\(origin(location))"))
    let trial: ModelTrial
    do { trial = try ModelTrial(model, threads: threads) } catch is CancellationError {
      throw CancellationError()
    } catch {
      let subject = if case RequestError.overBudget = error { "model's memory" } else { "model" }
      return try add(.problem(subject, sentence(for: error), ExitStatus(error)))
    }
    report.model!.plannedPeakBytes = trial.plannedPeak
    report.model!.bytesPerSecond = trial.speed.bytesPerSecond
    report.model!.multiplyAddsPerSecond = trial.speed.multiplyAddsPerSecond
    report.model!.seconds = trial.seconds
    let time = trial.seconds.map { ", in about \($0.inWords)" } ?? ""
    try add(
      .ok(
        "plan",
        "\(trial.method) at \(trial.side)×\(trial.side) holds at most \(trial.plannedPeak.megabytesUp) MB\(time)"
      ))
    try add(trial.speed.finding)
  }

  /// Where the path comes from.
  private func origin(_ location: URL) -> String {
    if named != nil { return "" }
    return location == ModelLocation.embedded ? " (comes with the program)" : " ($PENTIMENTO_MODEL)"
  }

  private var modelAdvice: String? {
    guard named == nil, let variable = getenv("PENTIMENTO_MODEL"), variable.pointee != 0 else { return nil }
    let embedded = ModelLocation.embedded.map { "; without it \($0.path) is used" } ?? ""
    return "PENTIMENTO_MODEL names this model: set it to one that can be opened, or unset it\(embedded)"
  }

  // MARK: The edit

  private mutating func checkEdit() async throws {
    let subject = "reference edit"
    guard let location = ModelLocation.embedded else {
      let places = ModelLocation.embeddedPaths.joined(separator: " or ")
      return try add(
        .warning(
          subject, "left out, since the model that comes with the program is in none of \(places)",
          "install the package's Weights/embedded as share/pentimento/embedded beside the program's bin"))
    }
    do {
      let edit = try await ReferenceEdit(Model(at: location), threads: threads)
      report.referenceEdit = .init(
        digest: edit.digest, isKnown: edit.agreement == .same, seconds: edit.seconds,
        peakBytes: ProcessMemory.peak)
      try add(edit.finding(subject, sharesBits: report.machine.processor.sharesBits))
    } catch let error as CancellationError {
      throw error
    } catch let error as OutputError {
      throw error
    } catch {
      // Nothing that an edit with another model would meet.
      if report.model != nil, report.model!.path != location.path, ExitStatus(error) == .badModel {
        return try add(
          .warning(subject, sentence(for: error), "install the program's own model again"))
      }
      try add(.problem(subject, sentence(for: error), ExitStatus(error)))
    }
  }
}

extension ReferenceEdit {
  fileprivate func finding(_ subject: String, sharesBits: Bool) -> Finding {
    let took = "64×64 in \(seconds.rounded(to: 2)) s, \(ProcessMemory.peak.megabytesUp) MB at the peak"
    switch agreement {
    case .same: return .ok(subject, "\(took): the known picture, bit for bit")
    case .close(let levels):
      let close = "\(took): the known picture but for its last bits (\(levels) of 255 at most)"
      guard sharesBits else { return .ok(subject, "\(close), as kernels without fused products round") }
      return .warning(
        subject, close,
        "results may differ from other machines': 'pentimento verify' names the kernels that do")
    case .other(let levels):
      return .problem(
        subject, "\(took): another picture than the known one (by up to \(levels) of 255)", .failure,
        "'pentimento verify' names the kernels that compute otherwise; --isa takes others")
    case .unknown:
      return .warning(
        subject,
        "\(took): its model is another one than the program was made with, so the result is not known",
        "install the program's own model again, or check the kernels with 'pentimento verify'")
    }
  }
}
