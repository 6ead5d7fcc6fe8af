import ArgumentParser
import Kernels
import Platform

/// The program from its arguments to its exit status.
@main enum Program {
  static func main() {
    StandardStreams.prepare()
    Heap.keepSmall()
    exit(run().rawValue)
  }

  private static func run() -> ExitStatus {
    Messages.use(.asked(by: programWords))
    let arguments: [String]
    do {
      arguments = try Replay.completed(programArguments())
    } catch let error as ValidationError {
      return end(parsing: error, as: .asked(by: programWords))
    } catch {
      return say(error, ExitStatus(error), as: .asked(by: programWords))
    }
    let command: any ParsableCommand
    do {
      command = try PentimentoCommand.parse(command: arguments)
    } catch let answer as PentimentoCommand.Answer {
      do { try StandardOutput.write(answer.text) } catch { return say(error, ExitStatus(error)) }
      return .done
    } catch let error as WrongWords {
      return say(error, .usage, as: .asked(by: arguments))
    } catch {
      return end(parsing: error, as: .asked(by: arguments))
    }
    guard let command = command as? any RunCommand else {
      // Help, which the parser gives as a command.
      var command = command
      do { try command.run() } catch { return end(parsing: error) }
      return .done
    }
    Messages.use(command.manner)
    let form = command.errorForm
    do {
      let interrupts = try Interrupts()
      do {
        try StandardOutput.check()
        if let wrong = command.isa.map({ KernelSet.choose($0, as: "--isa") }) ?? KernelSet.misnamed {
          throw ValidationError(wrong)
        }
        // Those of the kernels beside the calling one, and one that reads or hashes.
        try SystemThread.require(command.threads)
        try CallingThread().run {
          var command = command
          try await command.run()
        } started: { task in
          interrupts.onFirst { command.interrupt(task) }
        }
        return .done
      } catch is CancellationError {
        return say(
          "interrupted, nothing was written", ExitStatus(signal: interrupts.signal ?? SIGINT), as: form)
      } catch let error as BatchEnd {
        var status = ExitStatus.failure
        if case .stopped = error { status = .temporary }
        return say("\(error)", status, as: form)
      } catch let error as Interrupted {
        return say(
          "interrupted, the same command goes on from \(error.checkpoint)",
          ExitStatus(signal: interrupts.signal ?? SIGINT), as: form)
      }
    } catch {
      return say(error, ExitStatus(error), as: form)
    }
  }

  /// The words of this call, as far as they can be had.
  private static var programWords: [String] { (try? programArguments()) ?? [] }

  /// One sentence on standard error.
  private static func say(_ error: any Error, _ status: ExitStatus, as form: ErrorForm = .sentence)
    -> ExitStatus
  {
    let sentence = sentence(for: error)
    let text = sentence + NearFiles.advice(on: sentence, programWords)
    Messages.complain("error: \(text)", status: status)
    // What cannot take a report cannot take an error, and a report of problems has been given.
    if !(error is OutputError), !(error is DoctorProblem) { form.write(text, status) }
    return status
  }

  /// The same for what is no error of the program's making.
  private static func say(_ sentence: String, _ status: ExitStatus, as form: ErrorForm) -> ExitStatus {
    Messages.complain(sentence, status: status)
    form.write(sentence, status)
    return status
  }

  /// What the parser has to say: help on standard output, a refusal on standard error.
  private static func end(parsing error: any Error, as form: ErrorForm = .sentence) -> ExitStatus {
    guard PentimentoCommand.exitCode(for: error) == .success else {
      let cause = ParserWords.sentence(PentimentoCommand.message(for: error), programWords)
      Messages.complain("error: \(cause)", status: .usage)
      form.write(cause, .usage)
      return .usage
    }
    let message = PentimentoCommand.fullMessage(for: error)
    do { try StandardOutput.write(message) } catch { return say(error, ExitStatus(error)) }
    return .done
  }
}

/// A command that does something.
protocol RunCommand: AsyncParsableCommand, Sendable {
  /// What it computes with; nil for a command that does not compute.
  var computing: ThreadOptions? { get }
  /// How it says what it does.
  var manner: Messages.Manner { get }
  /// Whether a report as JSON was asked for.
  var reportsJSON: Bool { get }
  /// What the first signal that asks the run to end does.
  func interrupt(_ task: Task<Void, Never>)
}

extension RunCommand {
  var computing: ThreadOptions? { nil }
  var manner: Messages.Manner { Messages.Manner() }
  var reportsJSON: Bool { false }
  /// An error goes where the report would have gone.
  fileprivate var errorForm: ErrorForm { reportsJSON ? .of(Self.self) : .sentence }
  func interrupt(_ task: Task<Void, Never>) { task.cancel() }
  /// The calling one among them.
  var threads: Int { computing?.threads ?? 1 }
  /// The instruction set that was named.
  var isa: String? { computing?.isa }
}
