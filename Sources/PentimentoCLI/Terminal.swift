import FoundationEssentials
import Platform

/// Writes to standard error, where everything goes that is not a result.
func writeToStandardError(_ text: String) {
  var rest = Substring(text).utf8
  while !rest.isEmpty {
    let n = Array(rest).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    guard n > 0 || errno == EINTR else { return }
    rest = rest.dropFirst(max(n, 0))
  }
}

/// A line for the person at the terminal.
func note(_ line: String) { writeToStandardError("pentimento: \(line)\n") }

extension String {
  /// The text with spaces behind it.
  func padding(to width: Int) -> String { self + String(repeating: " ", count: max(width - count, 0)) }
  /// The text with spaces before it.
  func aligned(to width: Int) -> String { String(repeating: " ", count: max(width - count, 0)) + self }

  /// Bytes as megabytes of 10⁶ bytes, with one decimal.
  init(megabytes bytes: Int) { self.init((Double(bytes) / 1e5).rounded() / 10) }
}

/// A report as JSON for people and programs.
func jsonText(_ report: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(report), as: UTF8.self)
}
