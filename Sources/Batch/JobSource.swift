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

  /// Every file of a folder, hidden ones left out, in the order of their names.
  ///
  /// - Throws: `FileError`.
  public init(folder: String, shard: Shard = .whole, fileExtension: String = "png") throws {
    let files: [String]
    do {
      files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { file in
        var isFolder = false
        let exists = FileManager.default.fileExists(atPath: "\(folder)/\(file)", isDirectory: &isFolder)
        return !file.hasPrefix(".") && exists && !isFolder
      }
    } catch { throw FileError.missing(file: folder) }
    let stems = Dictionary(grouping: files) { JobLine.stem($0) ?? $0 }
    var names = JobNames()
    let entries = files.sorted().map { file -> BatchEntry in
      let stem = JobLine.stem(file) ?? file
      // Two files that differ in their extensions alone keep them.
      let name = stems[stem]!.count > 1 ? file : stem
      let origin = "\(folder)/\(file)"
      return .job(
        BatchJob(
          name: name, output: "\(name).\(fileExtension)", words: ["--image", origin], origin: origin))
    }
    self.entries = shard.part(of: names.checked(entries))
  }

  public var count: Int? { entries.count }

  public mutating func next(atMost count: Int, waits: Bool) -> [BatchEntry]? {
    guard position < entries.count else { return nil }
    let part = entries[position..<min(position + count, entries.count)]
    position = part.endIndex
    return Array(part)
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
      take(bytes[..<end])
      bytes.removeSubrange(...end)
    }
    if hasEnded, !bytes.isEmpty { take(bytes[...]) }
    if bytes.count > Self.longest {
      take(bytes[...])
      bytes = []
    }
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
      let taken = (["name " + job.name] + job.files.map { "file " + $0 }).sorted()
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
