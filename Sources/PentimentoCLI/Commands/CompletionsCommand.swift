import ArgumentParser

struct CompletionsCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Write a script with which a shell completes the program's words.",
    discussion: """
      It completes commands, options, methods, values and, by their endings, files; once --method is given, settings are those of \
      that method. Where each script belongs is said at its beginning.
      """)

  @Argument(help: "The shell.") var shell: Shell

  func run() async throws { try StandardOutput.write(shell.script) }
}

/// What the scripts ask.
struct CompleteCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "__complete", abstract: "Say what the last of some words may become.", shouldDisplay: false)

  @Argument(parsing: .postTerminator, help: "Words after the program's name, the last one unfinished.")
  var words: [String] = []

  func run() async throws {
    try StandardOutput.write(rows: Completing(words).rows)
  }
}

struct ManCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "man", abstract: "Write the manual page.",
    discussion:
      "It is for man and troff: pentimento man | man -l -, or a file pentimento.1 in a folder man1 of $MANPATH."
  )

  func run() async throws { try StandardOutput.write(ManualPage.text()) }
}

extension CompletionKind {
  /// Files that are read and written as pictures.
  static var pictures: CompletionKind { .file(extensions: ["png", "jpg", "jpeg", "ppm", "pgm"]) }
  /// A folder, or a file of these.
  static var models: CompletionKind { .file(extensions: ["safetensors", "gguf"]) }
}
