import CPlatform

/// The program's name and what it was called with, where there is no /proc too. `CommandLine.arguments` is the same with
/// a runtime that lets it be set; with another it is empty there, or traps.
package let arguments: [String] = {
  let count = cplatform_argument_count()
  guard count > 0 else { return CommandLine.arguments }
  return (0..<count).map { String(cString: cplatform_argument($0)) }
}()

/// Flags with which `open` makes a file without a name in a folder; 0 where the system cannot.
package var unnamedFile: Int32 { cplatform_unnamed_file() }

/// Lets two names change places in one step.
///
/// - Returns: 0, or -1 with `errno`: EINVAL or ENOSYS where the file system or the system cannot.
package func exchange(_ a: String, _ b: String) -> Int32 { cplatform_exchange(a, b) }
