import FoundationEssentials
import Platform

/// What the kernel says of this process and of the memory that it may take. All figures are bytes.
public enum ProcessMemory {
  /// In RAM now, pages of files included.
  public static var resident: Int { figure("VmRSS:", in: "/proc/self/status") ?? 0 }
  /// The most in RAM so far.
  public static var peak: Int { figure("VmHWM:", in: "/proc/self/status") ?? 0 }

  /// What the kernel counts beside what the process asked for, once it runs: tables of its pages and other things of the
  /// kernel (0.7 MB and 0.2 % of the rest), pages of program and libraries that were read along with those that were
  /// needed (2 MB), weights on their way through the page cache (1 MB), and descriptions of the networks (1 MB).
  package static let overhead = 5_000_000

  /// What this process can hold before something has to give: its share now and nine tenths of what is free, what its
  /// control groups leave it, or what is left of its address space, whichever is least. Nil if the kernel does not say.
  public static var reachable: MemoryLimit? { limits.min { $0.bytes < $1.bytes } }

  private static var limits: [MemoryLimit] {
    let status = contents("/proc/self/status")
    let resident = figure("VmRSS:", of: status) ?? 0
    let free = figure("MemAvailable:", in: "/proc/meminfo").map { resident + $0 / 10 * 9 }
    let group = contents("/proc/self/cgroup").flatMap {
      controlGroupLimit($0, own: figure("RssAnon:", of: status) ?? resident, contents: contents)
    }
    let space = figure("VmSize:", of: status).flatMap { addressSpace(taken: $0, resident: resident) }
    let limits = [
      group.map { MemoryLimit(bytes: $0, source: .controlGroup) },
      free.map { MemoryLimit(bytes: $0, source: .machine) },
      space.map { MemoryLimit(bytes: $0, source: .addressSpace) },
    ]
    return limits.compactMap { $0 }
  }

  /// The same, with the figures that it comes from.
  static var facts: MachineFacts.Memory {
    let limits = limits
    let least = limits.min { $0.bytes < $1.bytes }
    let physical = figure("MemTotal:", in: "/proc/meminfo")
    return MachineFacts.Memory(
      physical: physical, available: figure("MemAvailable:", in: "/proc/meminfo"),
      // Version 1 says "no limit" with a number that no machine has.
      controlGroup: limits.first { $0.source == .controlGroup && $0.bytes < physical ?? .max }?.bytes,
      addressSpace: Heap.addressSpace, reachable: least?.bytes, limit: least?.source.word)
  }

  /// What the limit of the address space lets a process hold; nil where there is none.
  private static func addressSpace(taken: Int, resident: Int) -> Int? {
    guard let limit = Heap.addressSpace else { return nil }
    // Stacks of the threads to come, 8 MB each, of which hardly anything is touched.
    let stacks = 2 * 8 << 20
    return max(0, limit - taken - stacks) + resident
  }

  /// The least that a process's memory control groups, version 1 or 2, and those around them leave it: the hard limit of
  /// each without what others in it hold and cannot give back.
  ///
  /// - Parameters:
  ///   - groups: `/proc/self/cgroup`
  ///   - own: anonymous memory of this process.
  ///   - contents: of a file, nil where there is none.
  package static func controlGroupLimit(
    _ groups: String, own: Int = 0, contents: (String) -> String?
  ) -> Int? {
    func limits(_ controller: String, _ mount: String, _ file: String, anonymous: String) -> [Int] {
      ControlGroups.folders(groups, controller: controller, mount: mount).compactMap { folder in
        guard let limit = contents("\(folder)/\(file)").flatMap({ Int($0.prefix { $0.isNumber }) }) else {
          return nil  // or the word "max"
        }
        let lines = contents("\(folder)/memory.stat")?.split(separator: "\n") ?? []
        let held = lines.first { $0.hasPrefix(anonymous) }.flatMap { Int($0.dropFirst(anonymous.count)) }
        return max(0, limit - max(0, (held ?? own) - own))
      }
    }
    let two = limits("", "/sys/fs/cgroup", "memory.max", anonymous: "anon ")
    let one = limits(
      "memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", anonymous: "total_rss ")
    return (two + one).min()
  }

  private static func figure(_ key: String, in file: String) -> Int? { figure(key, of: contents(file)) }

  private static func figure(_ key: String, of text: String?) -> Int? {
    let line = text?.split(separator: "\n").first { $0.hasPrefix(key) }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }

  private static func contents(_ file: String) -> String? {
    try? String(contentsOfFile: file, encoding: .utf8)
  }
}
