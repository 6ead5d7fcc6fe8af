import Foundation
import Pentimento
import Platform
import Synchronization
import TestSupport
import Testing

/// Files as kernels have them, and what is made of them.
@Suite("Signs of scarce memory") struct MemoryPressureTests {
  private static let two = "/sys/fs/cgroup"

  private func signs(_ files: [String: String], _ groups: String = "0::/a/b\n") -> PressureSigns {
    PressureSigns(groups: groups) { files[$0] }
  }

  private func pressure(total: Int) -> String {
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=\(total)\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"
  }

  @Test("are read from the process's own group, else from the machine") func stalled() {
    let machine = ["/proc/pressure/memory": pressure(total: 70)]
    let own = ["\(Self.two)/a/b/memory.pressure": pressure(total: 5)]
    let around = ["\(Self.two)/a/memory.pressure": pressure(total: 60)]
    func merged(_ a: [String: String], _ b: [String: String]) -> [String: String] { a.merging(b) { $1 } }
    #expect(signs(machine).stalled == 70)
    #expect(signs(merged(machine, around)).stalled == 60)
    #expect(signs(merged(merged(machine, around), own)).stalled == 5)
    #expect(
      signs(["\(Self.two)/unified/c/memory.pressure": pressure(total: 4)], "4:memory:/x\n0::/c\n").stalled
        == 4)
    #expect(signs([:]).stalled == nil && signs(["/proc/pressure/memory": "some nonsense"]).stalled == nil)
  }

  @Test("count how often the groups around a process came to their own limits") func limits() {
    let files = [
      "\(Self.two)/a/memory.events": "low 7\nhigh 100\nmax 100\noom 0\noom_kill 5\n",
      "\(Self.two)/a/memory.events.local": "low 7\nhigh 1\nmax 2\noom 0\noom_kill 0\n",
      "\(Self.two)/a/b/memory.events": "low 0\nhigh 10\nmax 20\noom 30\noom_kill 0\n",
    ]
    #expect(signs(files).limitHits == 63, "others within a group around it come to limits of their own")
    #expect(signs([:]).limitHits == 0)
  }

  /// What `MemoryPressure` misses after each look at these signs.
  private func missing(_ signs: [PressureSigns], reachable: Int? = nil) -> [Int] {
    let rest = Mutex(signs)
    let pressure = MemoryPressure(
      planned: 20_000_000, reachable: { reachable },
      signs: { rest.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] } })
    return signs.dropFirst().map { _ in pressure.missing() }
  }

  private func look(_ second: Int, stalled: Int? = nil, hits: Int = 0, told: Int = 0) -> PressureSigns {
    var signs = PressureSigns()
    (signs.time, signs.stalled) = (second * 1_000_000, stalled)
    (signs.limitHits, signs.notifications) = (hits, told)
    return signs
  }

  private let margin = MemoryPressure.margin

  @Test("have something given back each time, up to what was planned") func given() {
    #expect(missing([look(0, stalled: 0), look(1, stalled: 90_000), look(2, stalled: 180_000)]) == [0, 0])
    #expect(
      missing([look(0, stalled: 0), look(1, stalled: 110_000), look(2, stalled: 110_000)]) == [
        margin, margin,
      ],
      "what was given back stays so")
    #expect(
      missing([look(0, told: 0), look(1, told: 1), look(2, told: 3), look(3, told: 4)])
        == [margin, 2 * margin, 20_000_000])
    #expect(
      missing([look(0), look(1, told: 1)], reachable: 15_000_000) == [5_000_000 + margin],
      "figures count where they say more")
  }

  @Test("at a limit count where something waits, or where nobody measures") func hits() {
    #expect(missing([look(0), look(1, hits: 5), look(2, hits: 5)]) == [margin, margin])
    #expect(missing([look(0, stalled: 0), look(1, stalled: 9_000, hits: 5)]) == [0])
    #expect(missing([look(0, stalled: 0), look(1, stalled: 11_000, hits: 5)]) == [margin])
  }

  @Test("come from the kernel through a descriptor that a control group of version 1 was given")
  func listener()
    throws
  {
    let folder = FileManager.default.temporaryDirectory.appending(path: "pressure-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(PressureListener(group: folder) == nil, "no group of version 1")
    for name in ["memory.pressure_level", "cgroup.event_control"] {
      #expect(FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: Data()))
    }
    let listener = try #require(PressureListener(group: folder))
    #expect(listener.notifications == 0)
    let words = try String(contentsOfFile: "\(folder)/cgroup.event_control", encoding: .utf8).split(
      separator: " ")
    #expect(words.count == 3 && words[2] == "medium")
    let descriptor = try #require(Int32(words[0]))
    var once: UInt64 = 1
    for expected in 1...2 {
      #expect(write(descriptor, &once, 8) == 8)
      #expect(listener.notifications == expected)
    }
    #expect(listener.notifications == 2)
  }
}
