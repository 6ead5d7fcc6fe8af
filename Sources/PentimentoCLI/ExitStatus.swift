import ArgumentParser
import Dispatch
import Editing
import ImageFiles
import Kernels
import Pentimento
import Platform

/// What the command ends with; the numbers of sysexits.h where one fits.
enum ExitStatus: Int32 {
  case failure = 1
  case usage = 64
  /// A picture or an inversion.
  case badInput = 65
  case badModel = 66
  case cannotWrite = 73
  case interrupted = 130

  private init(_ error: InversionError) {
    switch error {
    case .differs, .notUsed: self = .usage
    case .unreadable: self = .badInput
    case .cannotWrite: self = .cannotWrite
    }
  }

  /// The status for an error of the library.
  init(_ error: any Error) {
    switch error {
    case PictureFileError.unknownExtension: self = .usage
    case let error as PictureFileError: self = error.isAboutWriting ? .cannotWrite : .badInput
    case WorkingSizeError.pictureTooSmall: self = .badInput
    case is WorkingSizeError, is ValidationError, is TraceError: self = .usage
    case _ where TraceResults.isWriteError(error): self = .cannotWrite
    case _ where Model.isModelError(error): self = .badModel
    case let error as EditError: self = error.isAboutTheRun ? .failure : .usage
    case is RequestError: self = .usage
    case let error as InversionError: self = ExitStatus(error)
    case is ModelLocationError: self = .badModel
    case is CancellationError: self = .interrupted
    default: self = .failure
    }
  }
}

extension PictureFileError {
  /// The result could not be written; everything else is about reading.
  fileprivate var isAboutWriting: Bool {
    switch self {
    case .folderMissing, .unwritable, .isTaken, .invalidMetadata: true
    default: false
    }
  }
}

extension EditError {
  /// Something went wrong while computing, not in what was asked.
  fileprivate var isAboutTheRun: Bool {
    switch self {
    case .nonFinite, .diverged, .noPicture: true
    default: false
    }
  }
}

/// Runs a command's work: its errors become one sentence on standard error and the exit status, an interrupt
/// (SIGINT, SIGTERM, SIGHUP) cancels it.
func reportingErrors(_ work: @escaping @Sendable () async throws -> Void) async throws {
  let task = Task {
    if let wrong = KernelSet.misnamed { throw ValidationError(wrong) }
    try await work()
  }
  let interrupts = Interrupts { task.cancel() }
  defer { interrupts.stop() }
  do {
    try await task.value
  } catch let error as ExitCode {
    throw error
  } catch {
    let status = ExitStatus(error)
    note(status == .interrupted ? "interrupted, nothing was written" : "error: \(error)")
    throw ExitCode(status.rawValue)
  }
}

/// Calls back on the first interrupt, or when the process is asked to end; a second one ends it.
private final class Interrupts {
  private static let signals = [SIGINT, SIGTERM, SIGHUP]
  private let sources: [any DispatchSourceSignal]

  init(_ onInterrupt: @escaping @Sendable () -> Void) {
    sources = Self.signals.map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        Self.restore()
        onInterrupt()
      }
      source.resume()
      return source
    }
  }

  private static func restore() {
    for number in signals { signal(number, SIG_DFL) }
  }

  func stop() {
    for source in sources { source.cancel() }
    Self.restore()
  }
}
