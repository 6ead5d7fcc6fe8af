import Foundation
import Testing

@Suite("The scripts in Tools", .serialized) struct ToolsTests {
  private static let folder = Command.smallModel.appending(path: "../../../../Tools").standardizedFileURL

  /// Where there is no compiler, a script that builds first ends with 69.
  @Test(
    "explain themselves without building anything",
    arguments: [
      "bench-peers", "check-batch", "check-package", "check-plan", "check-quantize", "check-supervisors",
      "demo", "fuzz",
      "gallery", "install", "measure-memory", "package", "shards", "test",
    ])
  func help(name: String) async throws {
    for option in ["--help", "-h"] {
      let place = try Workplace()
      let run = try await Command.shell(
        "exec \(Self.folder.path)/\(name) \(option)", in: place, environment: ["PATH": "/usr/bin:/bin"])
      #expect(run.exited && run.status == 0 && run.errors == "", "\(run.status) \(run.errors)")
      #expect(run.output.contains("Tools/\(name)"))
      #expect(try place.contents == [])
    }
  }

  @Test("take memory as the command does: powers of 1000, or of 1024 with an i")
  func sizes() async throws {
    let script = "\(Self.folder.path)/measure-memory --limit"
    for (size, bytes) in [
      ("81M", 81_000_000), ("81Mi", 81 << 20), ("90000Ki", 90_000 << 10), ("99999744", 99_999_744),
    ] {
      let limit =
        "cat /sys/fs/cgroup/memory$(awk -F: '$2 == \"memory\" { print $3 }' /proc/self/cgroup)/memory.limit_in_bytes"
      let run = try await Command.shell(
        "exec \(script) \(size) -- sh -c '\(limit.replacing("'", with: "'\\''"))'", in: Workplace())
      guard run.status == 0 else { continue }  // no such control group here
      #expect(Int(run.output.dropLast()) == bytes / 4096 * 4096, "\(size)")
    }
    for size in ["7T", "M", "1.5G"] {
      #expect(try await Command.shell("exec \(script) \(size) -- true", in: Workplace()).status == 64)
    }
  }
}
