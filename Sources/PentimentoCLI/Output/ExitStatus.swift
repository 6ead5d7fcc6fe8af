import ArgumentParser
import Batch
import Editing
import Files
import ImageFiles
import Pentimento
import Platform
import Trace

/// What the command ends with; the numbers of sysexits.h where one fits, 128 and the signal's for a signal.
enum ExitStatus: Int32 {
  case done = 0
  case failure = 1
  case usage = 64
  /// A picture, an inversion, a checkpoint, a translator.
  case badInput = 65
  case badModel = 66
  case overBudget = 69
  /// By the system: memory, threads, open files, arguments.
  case refused = 71
  case cannotWrite = 73
  /// Saved and to be gone on with.
  case temporary = 75
  case hungUp = 129
  case interrupted = 130
  case terminated = 143

  /// The list for the help and the manual.
  static let list = """
    0 done; 1 the run failed, or jobs of a batch did; 64 wrong use; 65 a picture, an inversion, a translator or a checkpoint could not be read; 66 the model could not \
    be used; 69 the memory allowed is too little; 71 the system refused memory, a thread or an open file; 73 the \
    result could not be written; 75 a batch was stopped and the same command goes on with it; 129, 130 or 143 ended by SIGHUP, SIGINT or SIGTERM, with nothing written but a checkpoint.
    """

  /// After a signal that ended a run.
  init(signal: Int32) { self = ExitStatus(rawValue: 128 + signal) ?? .interrupted }

  /// The status for an error of the library.
  init(_ error: any Error) {
    if SystemRefusal(in: error) != nil {
      self = .refused
      return
    }
    switch error {
    case is ArgumentsUnreadable: self = .refused
    case let error as DoctorProblem: self = error.status
    case is OutputError: self = .cannotWrite
    case let error as FileError where error.isAboutWriting: self = .cannotWrite
    case PictureFileError.unknownExtension: self = .usage
    case let error as PictureFileError: self = error.isAboutWriting ? .cannotWrite : .badInput
    case WorkingSizeError.pictureTooSmall: self = .badInput
    case is WorkingSizeError, is ValidationError, is WrongWords, is TraceError, is SettingError,
      is MaskNotMade:
      self = .usage
    case _ where TraceResults.isWriteError(error): self = .cannotWrite
    case _ where Model.isModelError(error): self = .badModel
    case EditError.otherProgress: self = .badInput
    case let error as EditError: self = error.isAboutTheRun ? .failure : .usage
    case RequestError.overBudget: self = .overBudget
    case is RequestError: self = .usage
    case let error as InversionError: self = ExitStatus(error)
    case TranslatorError.unreadable, is RecordError: self = .badInput
    case is TranslatorError, is TrainingError: self = .usage
    case let error as JournalError: self = ExitStatus(error)
    case is ModelLocationError: self = .badModel
    case BatchError.inUse, BatchError.folder: self = .cannotWrite
    case BatchError.notAJournal: self = .badInput
    case is ShardError, is EditGroupError: self = .usage
    case is CancellationError: self = .interrupted
    default: self = .failure
    }
  }

  private init(_ error: JournalError) {
    switch error {
    case .differs: self = .usage
    case .otherFormat, .version, .damaged: self = .badInput
    case .inUse: self = .cannotWrite
    }
  }

  private init(_ error: InversionError) {
    switch error {
    case .differs, .notUsed: self = .usage
    case .unreadable: self = .badInput
    case .cannotWrite: self = .cannotWrite
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
    case .nonFinite, .diverged, .noPicture, .gradientNotFinite: true
    default: false
    }
  }
}
