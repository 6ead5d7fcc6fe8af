import Foundation
import Synchronization

/// The built `pentimento`, run as a user runs it.
struct Command {
  /// What a run left behind.
  struct Run {
    /// Ended by itself, not by a signal.
    var exited: Bool
    var status: Int32
    var output: String
    var errors: String

    /// Between the interrupt and the end; nil if there was none before the end.
    var afterInterrupt: Duration?

    /// Lines for the person at the terminal, without those that tell what is about to be done.
    var complaints: [String] {
      errors.split(separator: "\n").map(String.init).filter { line in
        !line.hasPrefix("pentimento: method ") && !line.contains(", seed ")
      }
    }
  }

  /// Beside the test bundle: SwiftPM puts all products into one folder.
  static let executable: URL = {
    let tests =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: tests).deletingLastPathComponent().appending(path: "pentimento")
  }()

  private static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../..").standardizedFileURL
  /// A network of the real one's structure, 128 pixels, a few thousand weights: a step takes milliseconds.
  static let smallModel = package.appending(path: "Tests/Fixtures/sd15/model")
  static let embeddedModel = package.appending(path: "Weights/embedded")
  static let examples = package.appending(path: "Examples/pairs")

  /// Runs a script in which `$pentimento` is the program and `$*` its words, as a shell runs them.
  static func shell(
    _ script: String, _ arguments: [String] = [], in folder: Workplace, model: URL? = smallModel,
    environment: [String: String] = [:], after delay: Double? = nil,
    _ action: @escaping @Sendable (pid_t) -> Void = { _ in }
  ) async throws -> Run {
    let environment = environment.merging(["pentimento": executable.path]) { given, _ in given }
    return try await run(
      ["-c", script, "sh"] + arguments, in: folder, model: model, copy: URL(fileURLWithPath: "/bin/sh"),
      environment: environment, after: delay, action
    ).run
  }

  /// Runs it in `folder`.
  ///
  /// - Parameters:
  ///   - interruptAfter: send SIGINT after so many seconds.
  ///   - copy: the program to run, a copy of the built one.
  ///   - environment: variables beside those that every run gets.
  static func run(
    _ arguments: [String], in folder: Workplace, model: URL? = smallModel,
    interruptAfter delay: Double? = nil,
    copy: URL? = nil, environment: [String: String] = [:]
  ) async throws -> Run {
    // Taken where it happens: this task may have to wait for a thread that other tests keep busy.
    let interrupted = Instants()
    var (run, end) = try await run(
      arguments, in: folder, model: model, copy: copy, environment: environment, after: delay
    ) { id in
      interrupted.first.withLock { $0 = .now }
      kill(id, SIGINT)
    }
    run.afterInterrupt = interrupted.first.withLock { $0 }.map { end - $0 }
    return run
  }

  /// Runs it in `folder`, and after so many seconds does something to it or to what it reads.
  static func run(
    _ arguments: [String], in folder: Workplace, model: URL? = smallModel, after delay: Double,
    _ action: @escaping @Sendable (pid_t) -> Void
  ) async throws -> Run {
    try await run(arguments, in: folder, model: model, copy: nil, environment: [:], after: delay, action).run
  }

  private static func run(
    _ arguments: [String], in folder: Workplace, model: URL?, copy: URL?,
    environment: [String: String] = [:], after delay: Double?,
    _ action: @escaping @Sendable (pid_t) -> Void
  ) async throws -> (run: Run, end: ContinuousClock.Instant) {
    _ = Self.takesInterrupts
    let process = Process()
    process.executableURL = copy ?? executable
    process.arguments = arguments
    process.currentDirectoryURL = folder.url
    process.environment = [
      "PENTIMENTO_MODEL": model?.path ?? "", "SWIFT_BACKTRACE": "enable=no",
      "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    ].merging(environment) { _, given in given }
    // Files, not pipes: nobody has to empty them while the program runs. Outside of the folder that is watched.
    let streams = try Workplace()
    let (output, errors) = (streams.url("out"), streams.url("err"))
    for file in [output, errors] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    let handles = try (FileHandle(forWritingTo: output), FileHandle(forWritingTo: errors))
    (process.standardOutput, process.standardError) = handles
    process.standardInput = FileHandle.nullDevice
    let end = try await withCheckedThrowingContinuation { ended in
      process.terminationHandler = { _ in ended.resume(returning: ContinuousClock.now) }
      do {
        try process.run()
        if let delay {
          let id = process.processIdentifier
          DispatchQueue.global().asyncAfter(deadline: .now() + delay) { action(id) }
        }
      } catch {
        process.terminationHandler = nil
        ended.resume(throwing: error)
      }
    }
    let run = Run(
      exited: process.terminationReason == .exit, status: process.terminationStatus,
      output: try String(contentsOf: output, encoding: .utf8),
      errors: try String(contentsOf: errors, encoding: .utf8))
    return (run, end)
  }

  /// What the program inherits: a shell ignores SIGINT for what it runs in the background, these tests perhaps.
  private static let takesInterrupts: Void = {
    for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_DFL) }
  }()

  private final class Instants: Sendable {
    let first = Mutex<ContinuousClock.Instant?>(nil)
  }
}
