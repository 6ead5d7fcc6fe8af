import FoundationEssentials

/// What the kernel says of this process and of the memory that it may take. All figures are bytes.
public enum ProcessMemory {
  /// In RAM now, pages of files included.
  public static var resident: Int { figure("VmRSS:", in: "/proc/self/status") ?? 0 }
  /// The most in RAM so far.
  public static var peak: Int { figure("VmHWM:", in: "/proc/self/status") ?? 0 }

  /// What this process can hold before something has to give: its share now and nine tenths of what is free, or the
  /// limit of its control group if that is less. Nil if the kernel does not say.
  public static var reachable: Int? {
    let free = figure("MemAvailable:", in: "/proc/meminfo").map { resident + $0 / 10 * 9 }
    return [free, controlGroupLimit].compactMap { $0 }.min()
  }

  /// The hard limit of the memory control group, version 1 or 2.
  private static var controlGroupLimit: Int? {
    guard let groups = contents("/proc/self/cgroup") else { return nil }
    // Lines are "hierarchy:controllers:path"; version 2 has one, with number 0 and no controllers.
    let limits = groups.split(separator: "\n").compactMap { line -> Int? in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return nil }
      let file: String
      switch fields[1] {
      case "": file = "/sys/fs/cgroup\(fields[2])/memory.max"
      case "memory": file = "/sys/fs/cgroup/memory\(fields[2])/memory.limit_in_bytes"
      default: return nil
      }
      return contents(file).flatMap { Int($0.prefix { $0.isNumber }) }
    }
    return limits.min()
  }

  private static func figure(_ key: String, in file: String) -> Int? {
    let line = contents(file)?.split(separator: "\n").first { $0.hasPrefix(key) }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }

  private static func contents(_ file: String) -> String? {
    try? String(contentsOfFile: file, encoding: .utf8)
  }
}
