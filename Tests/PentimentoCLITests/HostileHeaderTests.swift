import Foundation
import Testing

@Suite("Headers that no model has, from the command line", .serialized) struct HostileHeaderTests {
  /// Bytes of data that the program may hold, thread stacks included; a limit of the system, so more than that ends it.
  private static let kilobytes = 100_000

  private static func header(_ text: String) -> [UInt8] {
    let count = UInt64(text.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) } + Array(text.utf8)
  }

  private static func rows(_ names: some Sequence<String>) -> String {
    "{" + names.map { #""\#($0)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"# }.joined(separator: ",")
      + "}"
  }

  @Test("hold no more memory than is planned for any model, and end with a sentence", arguments: [0, 1, 2])
  func memory(index: Int) async throws {
    let place = try Workplace.furnished()
    let name = String(repeating: "a", count: 200)
    let text = [
      Self.rows((0..<390_000).map { "t\($0)" }),  // 22 MB
      Self.rows((0..<19_999).map { "\(name).\($0)" }),  // below every limit
      "{\"__metadata__\":{\"a\":\"\(String(repeating: "\\n", count: 5_900_000))\"}}",
    ][index]
    try place.add("hostile.safetensors", Self.header(text))
    let program = place.url("limited")
    try place.add(
      "limited", "#!/bin/sh\nulimit -d \(Self.kilobytes)\nexec '\(Command.executable.path)' \"$@\"\n".utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
    for arguments in [
      ["edit", "-i", "photo.png", "-p", "a cat", "-o", "out.png", "-t", "1", "-m", "hostile.safetensors"],
      [
        "edit", "-i", "photo.png", "-p", "a cat", "-o", "out.png", "-t", "1", "--lora", "hostile.safetensors",
      ],
    ] {
      let run = try await Command.run(arguments, in: place, copy: program)
      #expect(run.exited && run.status == Status.badModel, "\(run.errors)")
      #expect(run.errors.contains("hostile.safetensors"), "\(run.errors)")
      #expect(!place.exists("out.png"))
    }
  }
}
