import Platform

/// The three descriptors that a program finds open.
enum StandardStreams {
  /// What a pipe without a reader did before the program said that it looks at the errors.
  nonisolated(unsafe) private static var pipeEnds = false

  /// To be called first.
  ///
  /// A closed one is taken, so that no file of the run gets its number and the words meant for the terminal: by
  /// something that can be neither read nor written. Writing to a pipe that nobody reads becomes an error, so that
  /// the end of whoever reads the notes does not end an edit.
  static func prepare() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is the one that is missing.
      _ = open("/", O_RDONLY | O_DIRECTORY)
    }
    // A file beyond the limit of its size (ulimit -f) is an error like a full disk.
    signal(SIGXFSZ, SIG_IGN)
    pipeEnds = unsafeBitCast(signal(SIGPIPE, SIG_IGN), to: Int.self) == unsafeBitCast(SIG_DFL, to: Int.self)
  }

  /// The reader of the results has gone: ends as programs do in a pipe (`| head`), without a word, unless whoever
  /// started this one has SIGPIPE ignored.
  static func endAsPipeDoes() {
    guard pipeEnds else { return }
    signal(SIGPIPE, SIG_DFL)
    var pipe = sigset_t()
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    pthread_sigmask(SIG_UNBLOCK, &pipe, nil)
    raise(SIGPIPE)
  }
}
