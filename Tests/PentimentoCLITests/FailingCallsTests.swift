import Foundation
import Testing

/// A few of the calls that `Tools/fail-calls` strikes one after the other, every one of them.
@Suite(
  "A call of the system that fails", .serialized, .enabled(if: Shim.compiler != nil, "needs a C compiler"))
struct FailingCallsTests {
  static let calls: [(String, Int32, [Int])] = [
    ("open", EMFILE, [1, 4, 9, 20]), ("open", EACCES, [3, 12]), ("read", EIO, [2, 9]),
    ("write", ENOSPC, Array(1...6)), ("sync", EIO, [1, 2, 3]), ("rename", EPERM, Array(1...6)),
    ("close", EIO, [1, 8, 20, 30, 40]), ("truncate", ENOSPC, [1, 2, 3]),
    ("thread", EAGAIN, [1]),
  ]

  private static let outputs = ["out.png", "out.inv"]

  @Test(
    "leaves each file as it was or whole and new, and says so by status and sentence",
    .timeLimit(.minutes(3)), arguments: calls)
  func strikes(kind: String, code: Int32, numbers: [Int]) async throws {
    let shim = try Shim()
    let place = try Workplace.furnished()
    let words = [
      "edit", "-i", "photo.png", "-p", "a cat", "--source-prompt", "a dog", "--method", "ddpm-inversion",
      "--steps",
      "4", "--threads", "2", "-o", "out.png", "--save-inversion", "out.inv",
    ]
    _ = try await Command.run(words, in: place)
    let new = try Self.outputs.map(place.bytes)
    let names = try place.contents

    for number in numbers {
      for name in Self.outputs { try place.add(name, "old \(name)".utf8) }
      let run = try await Command.run(words, in: place, environment: shim.environment(kind, number, code))
      let what = "\(kind) \(number): \(run.status) \(run.errors)"
      #expect(run.exited && [0, 1, 64, 65, 66, 71, 73].contains(run.status), "\(what)")
      for (name, new) in zip(Self.outputs, new) {
        let bytes = try place.bytes(name)
        #expect(bytes == new || run.status != 0 && bytes == Array("old \(name)".utf8), "\(name), \(what)")
      }
      #expect(run.complaints.filter { $0.contains("error: ") }.count == (run.status == 0 ? 0 : 1), "\(what)")
      if run.status != 0, [EMFILE, EAGAIN].contains(code) {
        #expect(run.errors.contains("the system refused"), "\(what)")
      }
      #expect(try place.contents == names, "\(what)")
    }
  }
}

/// `Tools/lib/fail_calls.c`, compiled.
private struct Shim {
  static let compiler: URL? = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .flatMap { folder in ["cc", "clang"].map { URL(filePath: "\(folder)/\($0)") } }
    .first { FileManager.default.isExecutableFile(atPath: $0.path) }

  private let folder: Workplace

  init() throws {
    folder = try Workplace()
    let source = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../Tools/lib/fail_calls.c")
    let process = Process()
    process.executableURL = Self.compiler
    process.arguments = [
      "-O1", "-shared", "-fPIC", "-o", folder.path("fail.so"), source.standardizedFileURL.path,
    ]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
  }

  func environment(_ kind: String, _ number: Int, _ code: Int32) -> [String: String] {
    [
      "LD_PRELOAD": folder.path("fail.so"), "FAIL_KIND": kind, "FAIL_NTH": "\(number)",
      "FAIL_ERRNO": "\(code)",
    ]
  }
}
