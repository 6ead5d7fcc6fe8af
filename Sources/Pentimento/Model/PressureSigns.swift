import FoundationEssentials
import Platform

/// What the kernel says of memory being scarce, beside how much of it there is: counters that only grow.
package struct PressureSigns: Sendable, Equatable {
  /// When they were read, microseconds.
  package var time = 0
  /// For so many microseconds something waited for memory: in the process's control group where the kernel measures that
  /// (`memory.pressure`), else on the machine (`/proc/pressure/memory`); nil where it measures neither.
  package var stalled: Int?
  /// How often the process's control groups came to their limits (`memory.events`, version 2).
  package var limitHits = 0
  /// How often reclaiming was hard (`memory.pressure_level`, version 1).
  package var notifications = 0

  package init() {}

  /// Whether memory has become scarce since an earlier look.
  ///
  /// Waiting for a tenth of the time is scarcity whatever the cause. A limit is also met where a file is read for the
  /// first time, of which a group's cache is full: that counts where something waits too, or where nobody measures.
  func arePressing(since last: PressureSigns) -> Bool {
    let share = stalled.flatMap { now in
      last.stalled.map { Double(now - $0) / Double(max(time - last.time, 1)) }
    }
    if notifications > last.notifications { return true }
    if let share, share >= 0.1 { return true }
    return limitHits > last.limitHits && share.map { $0 >= 0.01 } ?? true
  }

  /// - Parameters:
  ///   - groups: `/proc/self/cgroup`
  ///   - contents: of a file, nil where there is none.
  package init(groups: String, contents: (String) -> String?) {
    let folders = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].flatMap {
      ControlGroups.folders(groups, controller: "", mount: $0)
    }
    func stalled(_ file: String) -> Int? {
      let line = contents(file)?.split(separator: "\n").first { $0.hasPrefix("some ") }
      let total = line?.split(separator: " ").first { $0.hasPrefix("total=") }
      return total.flatMap { Int($0.dropFirst("total=".count)) }
    }
    // The group itself: those around it count what others wait for.
    for file in folders.reversed().map({ "\($0)/memory.pressure" }) + ["/proc/pressure/memory"] {
      self.stalled = stalled(file)
      if self.stalled != nil { break }
    }
    for folder in folders {
      // Of the group itself, not of those within it.
      let events = contents("\(folder)/memory.events.local") ?? contents("\(folder)/memory.events") ?? ""
      for line in events.split(separator: "\n") {
        let words = line.split(separator: " ")
        guard words.count == 2, ["high", "max", "oom"].contains(words[0]) else { continue }
        limitHits += Int(words[1]) ?? 0
      }
    }
  }

  /// Reads the signs of this process, again and again.
  package static func reader() -> @Sendable () -> PressureSigns {
    let start = ContinuousClock.now
    func contents(_ file: String) -> String? { try? String(contentsOfFile: file, encoding: .utf8) }
    let groups = contents("/proc/self/cgroup") ?? ""
    let folders = ControlGroups.folders(groups, controller: "memory", mount: "/sys/fs/cgroup/memory")
    let listener = PressureListener.first(of: folders.reversed())
    return {
      var signs = PressureSigns(groups: groups) { try? String(contentsOfFile: $0, encoding: .utf8) }
      signs.time = Int((ContinuousClock.now - start) / .microseconds(1))
      signs.notifications = listener?.notifications ?? 0
      return signs
    }
  }
}
