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
    let arguments: [String]
    do {
      arguments = try Replay.completed(programArguments())
    } catch let error as ValidationError {
      return end(parsing: error)
    } catch {
      return say(error, ExitStatus(error))
    }
    let command: any ParsableCommand
    do { command = try PentimentoCommand.parse(command: arguments) } catch { return end(parsing: error) }
    guard let command = command as? any RunCommand else {
      // Help, which the parser gives as a command.
      var command = command
      do { try command.run() } catch { return end(parsing: error) }
      return .done
    }
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
        note("interrupted, nothing was written")
        return ExitStatus(signal: interrupts.signal ?? SIGINT)
      } catch let error as BatchEnd {
        note("\(error)")
        if case .stopped = error { return .temporary }
        return .failure
      } catch let error as Interrupted {
        note("interrupted, the same command goes on from \(error.checkpoint)")
        return ExitStatus(signal: interrupts.signal ?? SIGINT)
      }
    } catch {
      return say(error, ExitStatus(error))
    }
  }

  /// One sentence on standard error.
  private static func say(_ error: any Error, _ status: ExitStatus) -> ExitStatus {
    note("error: \(sentence(for: error))")
    return status
  }

  /// What the parser has to say: help on standard output, a refusal with the usage on standard error.
  private static func end(parsing error: any Error) -> ExitStatus {
    let message = PentimentoCommand.fullMessage(for: error)
    guard PentimentoCommand.exitCode(for: error) == .success else {
      writeToStandardError(message.printable(keepsLines: true) + "\n")
      return .usage
    }
    do { try StandardOutput.write(message) } catch { return say(error, ExitStatus(error)) }
    return .done
  }
}

/// A command that does something.
protocol RunCommand: AsyncParsableCommand, Sendable {
  /// What it computes with; nil for a command that does not compute.
  var computing: ThreadOptions? { get }
  /// What the first signal that asks the run to end does.
  func interrupt(_ task: Task<Void, Never>)
}

extension RunCommand {
  var computing: ThreadOptions? { nil }
  func interrupt(_ task: Task<Void, Never>) { task.cancel() }
  /// The calling one among them.
  var threads: Int { computing?.threads ?? 1 }
  /// The instruction set that was named.
  var isa: String? { computing?.isa }
}
