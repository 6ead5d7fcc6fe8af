import Platform

/// The words after the program's name.
///
/// - Throws: `ArgumentsUnreadable`, where not even the program's name can be had: nothing would be done, and that is no
///   success.
func programArguments() throws(ArgumentsUnreadable) -> [String] {
  let words = Platform.arguments
  guard !words.isEmpty else { throw ArgumentsUnreadable() }
  return Array(words.dropFirst())
}

/// The system does not tell the program what it was started with.
struct ArgumentsUnreadable: Error, CustomStringConvertible {
  var description: String { "the program's arguments cannot be read: mount /proc" }
}
