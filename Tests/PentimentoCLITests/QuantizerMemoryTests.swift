import Foundation
import TestSupport
import Testing

@Suite("Memory of quantize") struct QuantizerMemoryTests {
  /// A full-size Stable Diffusion 1 of zeros, which has to do with half of it: the largest tensors of XL are twice
  /// those. Sampled, since the buffers live as long as the run.
  @Test("stays below 96 MB that no file backs, whatever the tensor")
  func anonymous() async throws {
    let place = try Workplace()
    let model = try SingleFile(sparse: SingleFile.published("sd15"))
    let process = Process()
    process.executableURL = Command.executable
    process.arguments = ["quantize", model.path, place.path("out.safetensors"), "--weights", "int8"]
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    try process.run()
    var most = 0
    while process.isRunning {
      most = max(most, anonymousBytes(process.processIdentifier))
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(process.terminationStatus == 0 && place.exists("out.safetensors"))
    #expect((1...48_000_000).contains(most), "\(most) bytes")
  }

  private func anonymousBytes(_ process: Int32) -> Int {
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
      ?? 0
  }
}
