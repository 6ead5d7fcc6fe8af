/// What is wrong with a JSON text, and at which byte.
package struct JSONError: Error, Equatable {
  package enum Reason: Equatable, Sendable {
    case syntax(String)
    case duplicateKey(String)
  }
  package var reason: Reason
  package var offset: Int
}

/// Why a JSON file was refused: a configuration, a vocabulary, an index.
public enum ConfigurationError: Error, Equatable, Sendable {
  case badJSON(file: String, reason: String)
  case duplicateKey(file: String, key: String)
  case missingKey(file: String, key: String)
  case wrongValue(file: String, key: String, expected: String, found: String)
}

extension ConfigurationError {
  /// A failure of the scanner in the words of the file that it read.
  package init(_ error: JSONError, file: String) {
    switch error.reason {
    case .duplicateKey(let key): self = .duplicateKey(file: file, key: key)
    case .syntax(let text): self = .badJSON(file: file, reason: "\(text) at byte \(error.offset)")
    }
  }
}

extension ConfigurationError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .badJSON(let file, let reason):
      "\(file): is not valid JSON: \(reason); download it again"
    case .duplicateKey(let file, let key):
      "\(file): names \"\(key)\" twice, so its meaning is open; write the file again with one entry per name"
    case .missingKey(let file, let key):
      "\(file): \(key): is missing; use the configuration that was published with the weights"
    case .wrongValue(let file, let key, let expected, let found):
      "\(file): \(key): expected \(expected), found \(found); use the configuration published with the weights"
    }
  }
}
