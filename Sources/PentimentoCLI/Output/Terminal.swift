import Files
import FoundationEssentials
import Platform

/// Writes to standard error, where everything goes that is not a result. What cannot be written is not said.
func writeToStandardError(_ text: String) { _ = text.write(to: STDERR_FILENO) }

/// A line for the person at the terminal, unless it is to be quiet.
func note(_ line: String) { Messages.note(line) }

/// Standard output, where results go and nothing else.
enum StandardOutput {
  /// Writes lines of text.
  ///
  /// - Parameter text: its line feeds are the program's own.
  /// - Throws: `OutputError`.
  static func write(_ text: String) throws(OutputError) {
    try writeBytes(text.printable(keepsLines: true) + "\n")
  }

  /// Writes a line for each row, with a tab between its cells.
  ///
  /// - Throws: `OutputError`.
  static func write(rows: [[String]]) throws(OutputError) {
    let lines = rows.map { $0.map { $0.printable() }.joined(separator: "\t") + "\n" }
    try writeBytes(lines.joined())
  }

  /// Writes a report as JSON for people and programs.
  ///
  /// - Throws: `OutputError`.
  static func write(json report: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(report), as: UTF8.self)
    try writeBytes(text.printableJSON + "\n")
  }

  /// The same in one line.
  ///
  /// - Throws: `OutputError`.
  static func write(lineOf report: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let bytes = [UInt8](try encoder.encode(report))
    try write(jsonLine: bytes)
  }

  /// Writes a report that is one line of JSON.
  ///
  /// - Throws: `OutputError`.
  static func write(jsonLine bytes: [UInt8]) throws(OutputError) {
    try writeBytes(String(decoding: bytes, as: UTF8.self).printableJSON + "\n")
  }

  /// Writes the path of a result: as it is for a script, made printable for a terminal.
  ///
  /// - Throws: `OutputError`.
  static func write(path: String) throws(OutputError) {
    try writeBytes((isatty(STDOUT_FILENO) == 1 ? path.printable() : path) + "\n")
  }

  /// Writes what a file has, a picture for a pipe.
  ///
  /// - Throws: `OutputError`.
  static func write(_ file: SpooledFile) throws(OutputError) {
    try end(file.copy(to: STDOUT_FILENO))
  }

  /// Refuses what is known before any work: that standard output is closed, or open for reading only.
  static func check() throws(OutputError) {
    let flags = fcntl(STDOUT_FILENO, F_GETFL)
    if flags < 0 || flags & O_ACCMODE == O_RDONLY { throw OutputError(code: EBADF) }
  }

  private static func writeBytes(_ text: String) throws(OutputError) {
    try end(text.write(to: STDOUT_FILENO))
  }

  private static func end(_ failure: Int32) throws(OutputError) {
    guard failure != 0 else { return }
    if failure == EPIPE { StandardStreams.endAsPipeDoes() }
    throw OutputError(code: failure)
  }
}

/// Standard output takes nothing.
struct OutputError: Error, CustomStringConvertible {
  /// Why, by the C library's number.
  var code: Int32

  var description: String {
    "standard output cannot be written (\(String(cString: strerror(code)))): make room, or send it elsewhere"
  }
}

extension String {
  /// Writes all of it.
  ///
  /// - Returns: 0, or why not, by the C library's number.
  fileprivate func write(to descriptor: Int32) -> Int32 {
    var rest = self
    return rest.withUTF8 { bytes in
      var done = 0
      while done < bytes.count {
        let count = Platform.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count > 0 {
          done += count
        } else if count == 0 {
          return EIO
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
  }

  /// The text with spaces behind it.
  func padding(to width: Int) -> String { self + String(repeating: " ", count: max(width - count, 0)) }
  /// The text with spaces before it.
  func aligned(to width: Int) -> String { String(repeating: " ", count: max(width - count, 0)) + self }

  /// Bytes as megabytes of 10⁶ bytes, with one decimal.
  init(megabytes bytes: Int) { self.init((Double(bytes) / 1e5).rounded() / 10) }
}
