import Foundation
import Testing

/// Runs the built `pentimento-bench`, which measures a process that does nothing else.
@Suite("Memory of pictures", .serialized) struct MemoryTests {
  static let bench: URL = {
    let tests =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: tests).deletingLastPathComponent().appending(path: "pentimento-bench")
  }()

  /// The lines of `pentimento-bench pictures`: name, bytes counted before, bytes measured.
  func run(_ arguments: [String], in folder: TemporaryFolder) throws -> [(
    String, counted: Int, measured: Int
  )] {
    let process = Process()
    process.executableURL = Self.bench
    process.arguments = ["pictures"] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: output, as: UTF8.self).split(separator: "\n").map { line in
      let words = line.split(separator: "\t")
      return (String(words[0]), Int(words[1]) ?? -1, Int(words[2]) ?? -1)
    }
  }

  @Test(
    "of six megapixels stays within what their sources say beforehand",
    .enabled(if: FileManager.default.isExecutableFile(atPath: bench.path)),
    arguments: ["photo.png", "photo.ppm"])
  func streaming(photo: String) throws {
    let folder = try TemporaryFolder()
    _ = try run(["--make", "3001x1999", photo], in: folder)
    _ = try run(["--make", "3001x1999", "mask.pgm"], in: folder)
    let steps = try run([photo, "--mask", "mask.pgm", "--feather", "5", "--output", "out.png"], in: folder)
    #expect(steps.map(\.0) == ["working picture", "latent mask", "result"])
    for (name, counted, measured) in steps {
      // Whole pictures have 18 MB, masks 6 and, as Float, 24.
      #expect((0..<4_000_000).contains(counted))
      // What code and libraries take when they are used first, and the allocator.
      #expect(measured < counted + 1_000_000, "\(name) counted \(counted)")
    }
  }
}
