import FoundationEssentials
import Platform

/// What the kernel says of this process and of the memory that it may take. All figures are bytes.
public enum ProcessMemory {
  /// In RAM now, pages of files included.
  public static var resident: Int { figure("VmRSS:", in: "/proc/self/status") ?? 0 }
  /// The most in RAM so far.
  public static var peak: Int { figure("VmHWM:", in: "/proc/self/status") ?? 0 }

  /// What this process can hold before something has to give: its share now and nine tenths of what is free, or the
  /// limit of its control groups if that is less. Nil if the kernel does not say.
  public static var reachable: MemoryLimit? {
    let free = figure("MemAvailable:", in: "/proc/meminfo").map { resident + $0 / 10 * 9 }
    let group = contents("/proc/self/cgroup").flatMap { controlGroupLimit($0, contents: contents) }
    let limits = [
      group.map { MemoryLimit(bytes: $0, source: .controlGroup) },
      free.map { MemoryLimit(bytes: $0, source: .machine) },
    ]
    return limits.compactMap { $0 }.min { $0.bytes < $1.bytes }
  }

  /// The least of the hard limits of a process's memory control groups, version 1 or 2, and of those around them.
  ///
  /// - Parameters:
  ///   - groups: `/proc/self/cgroup`
  ///   - contents: of a file, nil where there is none.
  package static func controlGroupLimit(_ groups: String, contents: (String) -> String?) -> Int? {
    func limits(_ controller: String, _ mount: String, _ file: String) -> [Int] {
      ControlGroups.folders(groups, controller: controller, mount: mount).compactMap { folder in
        contents("\(folder)/\(file)").flatMap { Int($0.prefix { $0.isNumber }) }  // or the word "max"
      }
    }
    let two = limits("", "/sys/fs/cgroup", "memory.max")
    return (two + limits("memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes")).min()
  }

  private static func figure(_ key: String, in file: String) -> Int? {
    let line = contents(file)?.split(separator: "\n").first { $0.hasPrefix(key) }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }

  private static func contents(_ file: String) -> String? {
    try? String(contentsOfFile: file, encoding: .utf8)
  }
}
