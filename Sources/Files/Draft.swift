import Platform
import Synchronization

/// Names of files that are not finished: `.pentimento-PROCESS-NUMBER.draft`, in the folder of the file that they will
/// be. Short, so that a file of the longest name that its folder takes has a draft too.
enum Draft {
  private static let prefix = ".pentimento-"
  /// The second is what version 0.1.0 used.
  private static let suffixes = [".draft", ".tmp"]
  private static let count = Atomic(0)

  static func name(in folder: String) -> String {
    let number = count.add(1, ordering: .relaxed).newValue
    return "\(folder)/\(prefix)\(getpid())-\(number)\(suffixes[0])"
  }

  /// Calls `make` with new names until one is free.
  ///
  /// - Parameter make: returns a negative number and sets `errno` if it cannot.
  /// - Returns: the name, and what `make` returned; nil if it failed with anything but a name that is taken.
  static func create(in folder: String, _ make: (String) -> Int32) -> (name: String, result: Int32)? {
    while true {
      let name = name(in: folder)
      let result = make(name)
      if result >= 0 { return (name, result) }
      guard errno == EEXIST else { return nil }
    }
  }

  /// An empty file. It is locked as long as it is open, so that nobody who does not see this process (another machine,
  /// another container) takes it for abandoned.
  static func open(in folder: String) -> (name: String, descriptor: Int32)? {
    guard
      let (name, descriptor) = create(
        in: folder, { Platform.open($0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) })
    else { return nil }
    flock(descriptor, LOCK_EX | LOCK_NB)
    return (name, descriptor)
  }

  // MARK: What killed runs left

  /// Removes drafts of processes that are no more. What cannot be told, or removed, stays.
  static func removeAbandoned(in folder: String) {
    guard let entries = opendir(folder) else { return }
    defer { closedir(entries) }
    while let entry = readdir(entries) {
      let name = entry.name
      if let process = process(of: name), isGone(process) { remove("\(folder)/\(name)") }
    }
  }

  /// Whose draft it is, by its name; nil for other files.
  static func process(of name: String) -> pid_t? {
    guard name.hasPrefix(prefix), let suffix = suffixes.first(where: name.hasSuffix) else { return nil }
    let numbers = name.dropFirst(prefix.count).dropLast(suffix.count).split(
      separator: "-", omittingEmptySubsequences: false)
    guard numbers.count == 2, UInt(numbers[1]) != nil, let process = pid_t(numbers[0]), process > 0 else {
      return nil
    }
    return process
  }

  private static func isGone(_ process: pid_t) -> Bool { kill(process, 0) != 0 && errno == ESRCH }

  /// A regular file of this user that nobody holds.
  private static func remove(_ path: String) {
    let descriptor = Platform.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
      flock(descriptor, LOCK_EX | LOCK_NB) == 0
    else { return }
    unlink(path)
  }
}

extension UnsafeMutablePointer<dirent> {
  /// What the folder calls it. Entries are as long as their names, so none is copied as a whole.
  var name: String {
    let start = UnsafeRawPointer(self) + MemoryLayout<dirent>.offset(of: \.d_name)!
    return String(cString: start.assumingMemoryBound(to: CChar.self))
  }
}
