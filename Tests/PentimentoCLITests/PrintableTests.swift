import Foundation
import TestSupport
import Testing

@Suite("What reaches the terminal", .serialized) struct PrintableTests {
  /// Colours, a line of its own, the C1 form of an escape, letters turned round, a deleted one.
  private static let hostile = "a\u{1B}[31m\r\u{9B}2J\u{202E}gnp\u{2066}\u{7F}"
  private static let escaped = #"a\u{1b}[31m\r\u{9b}2J\u{202e}gnp\u{2066}\u{7f}"#

  private func expectPrintable(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let bad = text.unicodeScalars.filter { scalar in
      scalar != "\n"
        && (scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format)
    }
    #expect(bad.isEmpty, "\(bad.map { String($0.value, radix: 16) })", sourceLocation: sourceLocation)
  }

  static let errors: [[String]] = [
    ["edit", "-i", hostile, "-p", "x", "-o", "out.png"],
    ["edit", "-i", "photo.png", "-p", "x", "-o", hostile + ".gif"],
    ["edit", "-i", "photo.png", "-p", "x", "-o", "out.png", "--method", hostile],
    ["edit", "-i", "photo.png", "-p", "x", "-o", "out.png", "--concept", "x:" + hostile],
    ["edit", "-i", "photo.png", "-p", "x", "-o", "out.png", "-m", hostile], ["methods", hostile],
    ["inspect", hostile],
    ["edit", "--" + hostile], ["edit", "--steps", hostile], [hostile], ["inspect", "a", hostile],
    ["edit", "-i", "photo.png", "-p", "x", "-o", "out.png", "--lora", hostile],
  ]

  @Test("shows control characters in errors, and obeys none", arguments: errors)
  func error(words: [String]) async throws {
    let run = try await Command.run(words, in: .furnished())
    #expect(run.exited && run.status >= Status.usage)
    expectPrintable(run.errors)
    #expect(run.errors.lowercased().contains(Self.escaped.prefix(12)), "\(run.errors)")
  }

  @Test("is one line for a note")
  func oneLine() async throws {
    let run = try await Command.run(["methods", "two\nlines"], in: .furnished())
    Refusal(says: #""two\nlines""#).expect(run)
  }

  @Test("shows those of a weight file's metadata and tensors")
  func inspect() async throws {
    let place = try Workplace()
    let json = String(decoding: try JSONEncoder().encode([Self.hostile]), as: UTF8.self).dropFirst()
      .dropLast()
    var header = Array(
      #"{"__metadata__":{"note":\#(json)},\#(json):{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.utf8)
    while header.count % 8 != 0 { header.append(0x20) }
    let count = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    try place.add("weights.safetensors", count + header + [0, 0, 0, 0])
    let run = try await Command.run(["inspect", "weights.safetensors", "--tensors"], in: place)
    #expect(run.exited && run.status == Status.done, "\(run.errors)")
    expectPrintable(run.output)
    #expect(run.output.components(separatedBy: Self.escaped).count == 3, "\(run.output)")
  }

  @Test("is JSON that means the same")
  func report() async throws {
    struct Report: Decodable { var prompt: String }
    let place = try Workplace.furnished()
    let run = try await Command.run(
      [
        "edit", "-i", "photo.png", "-p", Self.hostile, "--steps", "2", "--skip", "0", "-o", "out.png",
        "--report", "json",
      ],
      in: place)
    #expect(run.exited && run.status == Status.done, "\(run.errors)")
    expectPrintable(run.output)
    #expect(try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)).prompt == Self.hostile)
  }

  @Test("is the path of a result as it is for a script, and shown on a terminal")
  func path() async throws {
    let words = [
      "edit", "-i", "photo.png", "-p", "x", "--steps", "2", "--skip", "0", "-o", Self.hostile + ".png",
    ]
    let place = try Workplace.furnished()
    let plain = try await Command.run(words, in: place)
    #expect(plain.exited && plain.status == Status.done, "\(plain.errors)")
    #expect(Array(plain.output.utf8) == Array("\(Self.hostile).png\n".utf8))
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/script") else { return }
    try place.add("run", #"exec $pentimento edit -i photo.png -p x --steps 2 --skip 0 -o "$name" 2>&-"#.utf8)
    let shown = try await Command.shell(
      "exec script -qec 'sh run' /dev/null", in: place, environment: ["name": Self.hostile + ".png"])
    #expect(shown.output.contains(Self.escaped + ".png"), "\(shown.output)")
    expectPrintable(shown.output.replacing("\r\n", with: "\n"))
  }
}
