import Files
import FoundationEssentials
import ImageFiles
import Kernels
import Platform

/// What a machine and its system have of all that an edit needs. Looked up, not judged.
public struct MachineFacts: Sendable, Encodable {
  public struct Processor: Sendable, Encodable {
    /// As the system calls it: of the processor, of the board where that says more; nil where it does not say.
    public var name: String?
    /// "x86_64" or "aarch64"
    public var architecture: String
    /// The kernels that can run, the best last.
    public var instructionSets: [String]
    /// The kernels that compute.
    public var chosen: String
    /// Whether they round as those of all other processors do, so that pictures are the same bit for bit.
    public var sharesBits: Bool
  }

  public struct Cores: Sendable, Encodable {
    /// Processors that this process may run on.
    public var allowed: Int
    /// As many of them as its control groups grant the time of; nil without a limit.
    public var quota: Double?
    /// Threads that an edit takes where it is told nothing else.
    public var threads: Int
  }

  /// All figures are bytes; nil where the system does not say, or sets no limit.
  public struct Memory: Sendable, Encodable {
    public var physical: Int?
    public var available: Int?
    /// What the control groups of the process leave it.
    public var controlGroup: Int?
    /// The address space that it may have (`ulimit -v`).
    public var addressSpace: Int?
    /// What an edit may hold: the least of all these.
    public var reachable: Int?
    /// Which of them that is: machine, controlGroup or addressSpace.
    public var limit: String?
  }

  public struct Cache: Sendable, Encodable {
    /// Nil where neither `XDG_CACHE_HOME` nor `HOME` names a folder.
    public var path: String?
    /// Whether a file could be made there.
    public var isWritable: Bool
  }

  public var processor: Processor
  public var cores: Cores
  public var memory: Memory
  public var cache: Cache
  public var libraries: [PictureLibrary]

  /// Asks the system. Makes the cache folder, and a file in it that is gone again.
  public static func find() -> MachineFacts {
    let here = Processors.here
    let set = KernelSet.chosen
    return MachineFacts(
      processor: Processor(
        name: processorName, architecture: architecture,
        instructionSets: KernelSet.runnable.map(\.name), chosen: set.name, sharesBits: set.sharesBits),
      cores: Cores(allowed: here.allowed, quota: here.quota, threads: min(256, here.threads)),
      memory: ProcessMemory.facts, cache: cache, libraries: PictureLibrary.all)
  }

  private static var architecture: String {
    var name = utsname()
    guard uname(&name) == 0 else { return "unknown" }
    return withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// x86-64 kernels name the processor, those of Arm boards the board.
  private static var processorName: String? {
    let named = text("/proc/cpuinfo").flatMap { processorName(in: $0) }
    return text("/proc/device-tree/model").map { String($0.prefix { $0 != "\0" }) } ?? named
  }

  /// - Parameter text: `/proc/cpuinfo`
  package static func processorName(in text: String) -> String? {
    let fields = text.split(separator: "\n").compactMap { line -> (key: String, value: String)? in
      guard let colon = line.firstIndex(of: ":") else { return nil }
      func words(_ part: Substring) -> String {
        part.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      }
      return (words(line[..<colon]), words(line[line.index(after: colon)...]))
    }
    let names = ["model name", "Model", "Hardware"]
    return names.lazy.compactMap { name in fields.first { $0.key == name && !$0.value.isEmpty }?.value }.first
  }

  private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

  private static var cache: Cache {
    guard let folder = UserCache.folder("doctor").map({ String($0.dropLast("/doctor".count)) }) else {
      return Cache(path: nil, isWritable: false)
    }
    let file = "\(folder)/doctor-\(getpid())"
    guard UserCache.makeFolder(folder) else { return Cache(path: folder, isWritable: false) }
    UserCache.write("doctor\n", to: file)
    return Cache(path: folder, isWritable: unlink(file) == 0)
  }
}
