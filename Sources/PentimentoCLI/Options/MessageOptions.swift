import ArgumentParser

/// What a long command says of itself.
struct MessageOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How progress is told on standard error: a line (off a terminal one every 30 seconds), json or none. json makes "
        + "everything there a line of JSON: version (1), event, secondsElapsed, and of a 'progress' unit, done, planned, stage, "
        + "secondsLeft; of a 'stage' that begins stage; of a 'note' or an 'error' message (and status); of a 'preview' file "
        + "and step. Later versions 1 may add fields and events.", valueName: "line|json|none"))
  var progress: ProgressForm?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seconds from one line of progress to the next, where it is not a terminal's. (default: 30, of JSON 1)",
      valueName: "seconds"))
  var progressEvery: Double?

  @Flag(name: .shortAndLong, help: "Say nothing but errors.")
  var quiet = false

  @Flag(
    name: .shortAndLong,
    help: "Say what is planned, with which model and kernels, and how long each stage took.")
  var verbose = false

  func validate() throws {
    if quiet, verbose {
      throw ValidationError("--quiet and --verbose say different things: give one of them")
    }
    if quiet, progress != nil || progressEvery != nil {
      throw ValidationError("--quiet says nothing but errors: leave --progress and --progress-every out")
    }
    if progress == ProgressForm.none, progressEvery != nil {
      throw ValidationError("--progress none tells none: leave --progress-every out")
    }
    if let progressEvery, !(0...86_400).contains(progressEvery) {
      throw ValidationError("--progress-every takes 0 to 86400 seconds")
    }
  }

  var manner: Messages.Manner {
    Messages.Manner(
      isQuiet: quiet, isVerbose: verbose, progress: progress ?? .line, interval: progressEvery)
  }
}

extension Messages.Manner {
  /// By the words of a command that is not parsed yet.
  static func asked(by words: [String]) -> Messages.Manner {
    var manner = Messages.Manner()
    manner.isQuiet = words.contains("-q") || words.contains("--quiet")
    if words.contains("--progress=json")
      || zip(words, words.dropFirst()).contains(where: { $0 == ("--progress", "json") })
    {
      manner.progress = .json
    }
    return manner
  }
}

/// How progress is told.
enum ProgressForm: String, ExpressibleByArgument, CaseIterable { case line, json, none }
