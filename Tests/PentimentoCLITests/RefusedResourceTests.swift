import Foundation
import Testing

@Suite("What the system refuses", .serialized) struct RefusedResourceTests {
  private static let edit = [
    "edit", "-i", "photo.png", "-p", "a cat", "--steps", "2", "--skip", "0", "-o", "out.png",
  ]

  /// A user of whom nothing else runs: the kernel counts threads by user, and root's not at all.
  private static let lonely = "timeout 60 setpriv --reuid 54321 --regid 54321 --clear-groups"

  /// Whether another user may run the program here, which a folder of `mktemp -d` keeps from everyone but its owner. What
  /// setpriv itself starts still has root's capabilities.
  private static func canBeLonely(_ place: Workplace) async throws -> Bool {
    try await Command.shell("\(lonely) env $pentimento --version", in: place).status == 0
  }

  @Test(
    "of threads ends in a sentence, or is not missed",
    .enabled(if: geteuid() == 0, "root can be another user"))
  func threads() async throws {
    let place = try Workplace.furnished()
    chmod(place.url.path, 0o777)
    guard try await Self.canBeLonely(place) else { return }
    var statuses: [Int32] = []
    for limit in 1...8 {
      let script = "exec \(Self.lonely) prlimit --nproc=\(limit):\(limit) $pentimento \"$@\""
      let run = try await Command.shell(script, Self.edit + ["-t", "3"], in: place)
      statuses.append(run.status)
      if run.status == Status.done {
        #expect(place.exists("out.png"))
        try? FileManager.default.removeItem(atPath: place.path("out.png"))
      } else {
        Refusal(status: Status.refused, says: "the system refused a thread", "ulimit -u").expect(run)
        #expect(!place.exists("out.png"))
      }
    }
    #expect(statuses.first == Status.refused && statuses.last == Status.done, "\(statuses)")
    #expect(statuses == statuses.sorted(by: >), "\(statuses)")
  }

  /// As a container's `pids.max` does.
  @Test("of threads by a control group ends in a sentence", arguments: [1, 2, 3])
  func controlGroup(most: Int) async throws {
    let place = try Workplace.furnished()
    let script = """
      root=/sys/fs/cgroup/pids; [ -d $root ] || root=/sys/fs/cgroup
      group=$root/pentimento-test-$$; mkdir $group 2>/dev/null || exit 77
      if [ ! -e $group/pids.max ] || ! echo $$ >$group/cgroup.procs; then rmdir $group; exit 77; fi
      echo \(most + 1) >$group/pids.max
      ($pentimento "$@") ; status=$?
      echo $$ >$root/cgroup.procs; rmdir $group; exit $status
      """
    let run = try await Command.shell(
      "exec timeout 60 sh -c '\(script)' sh \"$@\"", Self.edit + ["-t", "4"], in: place)
    guard run.status != 77 else { return }  // no such control group here
    Refusal(status: Status.refused, says: "the system refused a thread", "pids.max").expect(run)
    #expect(!place.exists("out.png"))
  }

  /// Without /proc the run time finds no arguments, unless they come from elsewhere.
  @Test("of arguments is no success", .enabled(if: geteuid() == 0, "root may unmount"))
  func noProc() async throws {
    let place = try Workplace.furnished()
    let probe = try await Command.shell("unshare -m sh -c 'umount -l /proc'", in: place)
    guard probe.status == 0 else { return }  // not allowed here
    let run = try await Command.shell(
      "exec unshare -m sh -c 'umount -l /proc; exec $pentimento \"$@\"' sh \"$@\"", ["methods", "drag"],
      in: place)
    #expect(run.exited)
    if run.status == Status.done {
      #expect(run.output.hasPrefix("drag\n"))
    } else {
      Refusal(status: Status.refused, says: "arguments cannot be read").expect(run)
    }
  }
}
