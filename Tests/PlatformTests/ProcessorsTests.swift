import Platform
import Synchronization
import Testing

@Suite("Processors") struct ProcessorsTests {
  @Test("are some, and a thread is on one of them") func here() {
    #expect(Processors.here.threads >= 1 && Processors.here.threads <= Processors.here.allowed)
    #if os(Linux)
      #expect(Processors.current != nil)
    #endif
  }

  #if canImport(Glibc)
    @Test("are those that the affinity mask allows") func affinity() throws {
      typealias Set = @convention(c) (pid_t, Int, UnsafeRawPointer) -> Int32
      let set = unsafeBitCast(try #require(dlsym(dlopen(nil, RTLD_NOW), "sched_setaffinity")), to: Set.self)
      let found = Atomic(0)
      // Affinity is a thread's own.
      try SystemThread {
        var one = [UInt8](repeating: 0, count: 1024)
        let number = Processors.current!
        one[number / 8] = 1 << (number % 8)
        guard set(0, one.count, one) == 0 else { return }
        found.store(Processors.find().allowed, ordering: .sequentiallyConsistent)
      }.join()
      #expect(found.load(ordering: .sequentiallyConsistent) == 1)
    }
  #endif

  @Test("are granted by the least of the control groups' quotas, in both versions of the kernel's files")
  func quotas() {
    func quota(_ groups: String, _ files: [String: String]) -> Double? {
      Processors.quota(groups) { files[$0] }
    }
    let two = "/sys/fs/cgroup"
    #expect(quota("0::/a/b\n", ["\(two)/a/b/cpu.max": "150000 100000\n"]) == 1.5)
    #expect(
      quota("0::/a/b\n", ["\(two)/a/b/cpu.max": "max 100000\n", "\(two)/a/cpu.max": "50000 100000\n"]) == 0.5)
    #expect(quota("0::/\n", ["\(two)/cpu.max": "400000 200000\n"]) == 2)
    #expect(quota("0::/\n", [:]) == nil && quota("0::/\n", ["\(two)/cpu.max": "max 100000\n"]) == nil)
    // A container of version 1: the path is the host's, its own group is mounted as the root.
    let one = "5:cpu,cpuacct:/docker/17\n4:cpuset:/\n1:name=systemd:/\n"
    let folder = "/sys/fs/cgroup/cpu"
    let limited = ["\(folder)/cpu.cfs_quota_us": "250000\n", "\(folder)/cpu.cfs_period_us": "100000\n"]
    #expect(quota(one, limited) == 2.5)
    let free = ["\(folder)/cpu.cfs_quota_us": "-1\n", "\(folder)/cpu.cfs_period_us": "100000\n"]
    #expect(quota(one, free) == nil)
    #expect(quota("nonsense\n", [:]) == nil)
  }

  @Test("make as many threads as can be used, and those may spin that all have one") func threads() {
    let whole = Processors(allowed: 4, quota: nil)
    #expect(whole.threads == 4 && whole.run(4) && !whole.run(5))
    let part = Processors(allowed: 4, quota: 1.5)
    #expect(part.threads == 2 && part.run(1) && !part.run(2))
    #expect(Processors(allowed: 2, quota: 8).threads == 2)
    #expect(Processors(allowed: 8, quota: 0.1).threads == 1)
  }
}
