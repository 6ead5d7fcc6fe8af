import CPlatform

/// The processors that this process may use.
package struct Processors: Sendable {
  /// As many threads can run at once.
  package var allowed: Int
  /// Processors' worth of time that its control groups grant, nil without a limit.
  package var quota: Double?

  /// As found when first asked.
  package static let here = find()

  package static func find() -> Processors {
    Processors(
      allowed: max(1, Int(cplatform_processors())),
      quota: contents(of: "/proc/self/cgroup").flatMap { quota($0, contents: contents) })
  }

  /// The number of the one that the calling thread is on, for the moment; nil where the system does not say.
  package static var current: Int? {
    let number = cplatform_processor()
    return number < 0 ? nil : Int(number)
  }

  package init(allowed: Int, quota: Double?) { (self.allowed, self.quota) = (allowed, quota) }

  /// Threads for work that keeps all of them busy: with a quota of one and a half processors two, each three quarters
  /// of the time. Slow cores beside fast ones count like them: loops hand out small pieces, so each does what it can.
  package var threads: Int {
    quota.map { max(1, min(allowed, Int(min($0, Double(allowed)).rounded(.up)))) } ?? allowed
  }

  /// Whether so many threads can all run all the time. If not, one that spins may take the time of the one that it
  /// waits for.
  package func run(_ threads: Int) -> Bool { threads <= allowed && Double(threads) <= quota ?? .infinity }

  /// The least of the quotas of a process's control groups, version 1 or 2, and of those around them.
  ///
  /// - Parameters:
  ///   - groups: `/proc/self/cgroup`
  ///   - contents: of a file, nil where there is none.
  package static func quota(_ groups: String, contents: (String) -> String?) -> Double? {
    func number(_ text: Substring?) -> Double? { text.flatMap { Double($0) } }
    func words(_ path: String) -> [Substring] { contents(path)?.split(whereSeparator: \.isWhitespace) ?? [] }
    let two = ControlGroups.folders(groups, controller: "", mount: "/sys/fs/cgroup").map { folder in
      let limit = words("\(folder)/cpu.max")  // "150000 100000" or "max 100000", microseconds
      return (number(limit.first), number(limit.dropFirst().first))
    }
    let one = ControlGroups.folders(groups, controller: "cpu", mount: "/sys/fs/cgroup/cpu").map { folder in
      (
        number(words("\(folder)/cpu.cfs_quota_us").first),  // -1: no limit
        number(words("\(folder)/cpu.cfs_period_us").first)
      )
    }
    return (two + one).compactMap { time, period in
      guard let time, let period, time > 0, period > 0 else { return nil }
      return time / period
    }.min()
  }
}

/// Where the kernel keeps the limits of a process's control groups.
package enum ControlGroups {
  /// Folders of a process's group and of those around it, outermost first.
  ///
  /// - Parameters:
  ///   - groups: `/proc/self/cgroup`: lines "hierarchy:controllers:path"; that of version 2 has no controllers.
  ///   - controller: of version 1; "" for version 2.
  package static func folders(_ groups: String, controller: String, mount: String) -> [String] {
    groups.split(separator: "\n").flatMap { line -> [String] in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return [] }
      let controllers = fields[1].split(separator: ",")
      guard controller.isEmpty ? controllers.isEmpty : controllers.contains(Substring(controller)) else {
        return []
      }
      // A container may see its own group as the root, whatever the path says, so the root is asked as well.
      let names = fields[2].split(separator: "/")
      return (0...names.count).map { depth in
        ([mount] + names.prefix(depth).map(String.init)).joined(separator: "/")
      }
    }
  }
}

/// A small file of the kernel as text, nil if it cannot be read.
private func contents(of path: String) -> String? {
  guard let file = fopen(path, "re") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  while true {
    let byte = getc(file)
    guard byte != EOF else { return String(decoding: bytes, as: UTF8.self) }
    bytes.append(UInt8(truncatingIfNeeded: byte))
  }
}
