import Platform

/// What `pentimento-bench NAME …` does.
protocol BenchMode {
  /// - Throws: `Misuse` of its arguments.
  init(_ arguments: ArraySlice<String>) throws
  func run() async throws
}

/// Wrong use, with what to do instead.
struct Misuse: Error, CustomStringConvertible {
  var description: String
}

/// Says why on standard error and ends the program: with 64 for wrong use.
func fail(_ error: any Error) -> Never {
  say("pentimento-bench: \(error)")
  exit(error is Misuse ? 64 : 1)
}

/// One line to standard error, where results do not go.
func say(_ line: String) {
  let bytes = Array("\(line)\n".utf8)
  _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
