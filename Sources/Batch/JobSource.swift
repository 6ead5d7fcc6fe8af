import Files
import FoundationEssentials
import Platform

/// Where the jobs of a batch come from, in order.
public protocol JobSource: Sendable {
  /// The next places, at most so many; nil behind the last.
  ///
  /// - Parameter waits: whether to wait where none has come yet; else there may be none.
  /// - Throws: `FileError` where the list cannot be read any more.
  mutating func next(atMost count: Int, waits: Bool) throws -> [BatchEntry]?

  /// Places in all; nil where nobody knows.
  var count: Int? { get }
}

/// Jobs that are all known from the start: of a file with one JSON object a line, or one for every file of a folder.
public struct JobList: JobSource {
  private let entries: [BatchEntry]
  private var position = 0

  /// - Parameters:
  ///   - shard: the part of the list that is this one's.
  ///   - fileExtension: of pictures whose names nobody gave.
  public init(lines text: [UInt8], file: String, shard: Shard = .whole, fileExtension: String = "png") {
    var entries: [BatchEntry] = []
    var names = JobNames()
    for (i, line) in text.split(separator: 10, omittingEmptySubsequences: false).enumerated() {
      let reading = JobLine(number: i + 1, origin: "\(file):\(i + 1)", fileExtension: fileExtension)
      entries += names.checked(reading.entries(Array(line)))
    }
    self.entries = shard.part(of: entries)
  }

  /// Every file of a folder, hidden ones and those that lie beside photos left out, in the order of their names; what is
  /// none, or cannot be opened under its name, is a broken entry, but folders are passed over.
  ///
  /// - Throws: `FileError`.
  public init(folder: String, shard: Shard = .whole, fileExtension: String = "png") throws {
    var kinds: [String: FileKind] = [:]
    do {
      for file in try FileManager.default.contentsOfDirectory(atPath: folder) where !file.hasPrefix(".") {
        kinds[file] = FileKind(at: "\(folder)/\(file)")
      }
    } catch { throw FileError.missing(file: folder) }
    let files = kinds.keys.filter { kinds[$0] != .folder && !Self.liesBeside($0) }
    let stems = Dictionary(grouping: files) { JobLine.stem($0) ?? $0 }
    var names = JobNames()
    let entries = files.sorted().map { file -> BatchEntry in
      let stem = JobLine.stem(file) ?? file
      // Two files that differ in their extensions alone keep them.
      let name = stems[stem]!.count > 1 ? file : stem
      let origin = "\(folder)/\(file)"
      if let reason = kinds[file]!.reason { return .broken(name: file, origin: origin, reason: reason) }
      return .job(
        BatchJob(
          name: name, output: "\(name).\(fileExtension)", words: ["--image", origin], origin: origin))
    }
    self.entries = shard.part(of: names.checked(entries))
  }

  /// Notes, settings and indexes, by their extensions. What else is no picture is told where it is opened.
  private static func liesBeside(_ file: String) -> Bool {
    let kinds = ["txt", "md", "json", "jsonl", "csv", "xml", "xmp", "html", "log", "ini", "db", "aae", "thm"]
    let name = file.lowercased()
    return kinds.contains { name.hasSuffix(".\($0)") }
  }

  public var count: Int? { entries.count }

  public mutating func next(atMost count: Int, waits: Bool) -> [BatchEntry]? {
    guard position < entries.count else { return nil }
    let part = entries[position..<min(position + count, entries.count)]
    position = part.endIndex
    return Array(part)
  }
}

/// What lies under a name.
private enum FileKind {
  case file, folder
  /// A pipe, a device, a socket.
  case other
  case nothing

  init(at path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      self = .nothing
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFDIR: self = .folder
    default: self = .other
    }
  }

  /// Why there is no picture in it; nil where there may be one.
  var reason: String? {
    switch self {
    case .file, .folder: nil
    case .other: "it is a pipe or a device, not a file"
    case .nothing: "it cannot be found: it is a link to nothing, or its name is not UTF-8"
    }
  }
}

/// Jobs that come one after another on a descriptor, a JSON object a line.
public struct JobStream: JobSource {
  private let descriptor: Int32
  private let isStopped: @Sendable () -> Bool
  private let fileExtension: String
  private var bytes: [UInt8] = []
  private var number = 0
  private var names = JobNames()
  private var ready: [BatchEntry] = []
  private var hasEnded = false
  /// Whether what comes up to the next line feed is the rest of a line that is too long.
  private var isSkipping = false

  /// The longest line that is read, bytes: what is longer is no job.
  private static let longest = 1 << 20

  /// - Parameter isStopped: looked at several times a second while nothing comes; it ends the stream.
  public init(
    descriptor: Int32, fileExtension: String = "png", isStopped: @escaping @Sendable () -> Bool
  ) {
    (self.descriptor, self.fileExtension, self.isStopped) = (descriptor, fileExtension, isStopped)
  }

  public var count: Int? { nil }

  public mutating func next(atMost count: Int, waits: Bool) throws -> [BatchEntry]? {
    while ready.count < count, !hasEnded {
      let isWaiting = waits && ready.isEmpty
      guard isReadable(within: isWaiting ? 200 : 0) else {
        if isWaiting, !isStopped() { continue }
        break
      }
      try read()
    }
    if ready.isEmpty { return hasEnded || (waits && isStopped()) ? nil : [] }
    defer { ready.removeFirst(min(count, ready.count)) }
    return Array(ready.prefix(count))
  }

  private func isReadable(within milliseconds: Int32) -> Bool {
    var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&wanted, 1, milliseconds) > 0
  }

  /// Takes what is there, and the jobs of the lines that it ends.
  private mutating func read() throws {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = Platform.read(descriptor, &buffer, buffer.count)
    if count < 0, errno == EINTR || errno == EAGAIN { return }
    guard count >= 0 else {
      throw FileError.readFailed(
        file: "standard input", reason: String(cString: strerror(errno)))
    }
    hasEnded = count == 0
    bytes += buffer[..<count]
    while let end = bytes.firstIndex(of: 10) {
      finish(bytes[..<end])
      bytes.removeSubrange(...end)
    }
    if hasEnded, !bytes.isEmpty { finish(bytes[...]) }
    if bytes.count > Self.longest {
      if !isSkipping { refuse() }
      isSkipping = true
      bytes = []
    }
  }

  /// A line has ended.
  private mutating func finish(_ line: ArraySlice<UInt8>) {
    if isSkipping {
      isSkipping = false
    } else if line.count > Self.longest {
      refuse()
    } else {
      take(line)
    }
  }

  /// A line that is too long: one answer, like any other.
  private mutating func refuse() {
    number += 1
    let line = JobLine(number: number, origin: "standard input:\(number)")
    ready.append(
      .broken(
        name: line.padded, origin: line.origin, reason: "it is longer than \(Self.longest >> 20) MiB"))
  }

  private mutating func take(_ line: ArraySlice<UInt8>) {
    number += 1
    let reading = JobLine(
      number: number, origin: "standard input:\(number)", fileExtension: fileExtension)
    ready += names.checked(reading.entries(Array(line)))
  }
}

/// The names that jobs have taken: those and their files are told apart by them.
struct JobNames: Sendable {
  private var owners: [String: String] = [:]

  /// The entries, with those broken whose name or file another has already.
  mutating func checked(_ entries: [BatchEntry]) -> [BatchEntry] {
    entries.map { entry in
      guard case .job(let job) = entry else { return entry }
      let files = job.files + [job.checkpoint]
      let taken = (["name " + job.name] + files.map { "file " + $0 }).sorted()
      if Set(taken).count < taken.count {
        return .broken(
          name: "\(job.name) (\(job.origin))", origin: job.origin,
          reason: "two of its files have one name: \(job.files.joined(separator: ", "))")
      }
      // The sheet belongs to all pictures of the line.
      let sheet = job.sheet.map { "file " + $0.output }
      for name in taken + [sheet].compactMap({ $0 }) where name != sheet || owners[name] != job.origin {
        if let owner = owners[name] {
          return .broken(
            name: "\(job.name) (\(job.origin))", origin: job.origin,
            reason: "its \(name) is taken by \(owner): give it another id or output")
        }
      }
      for name in taken + [sheet].compactMap({ $0 }) { owners[name] = job.origin }
      return entry
    }
  }
}
