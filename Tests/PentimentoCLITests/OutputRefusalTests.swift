import Foundation
import Testing

@Suite("A result that cannot be written", .serialized) struct OutputRefusalTests {
  private static let edit = ["edit", "-i", "photo.png", "-p", "a cat", "-o"]

  static let outputs: [(String, Int32, String)] = [
    ("none/out.png", Status.cannotWrite, "create it first"),
    ("photo.png/out.png", Status.cannotWrite, "create it first"),
    ("folder.png", Status.cannotWrite, "is a folder"),
    ("/sys/out.png", Status.cannotWrite, "cannot be written"),
    ("out.gif", Status.usage, "name a .png, .jpg or .ppm file"),
    ("out", Status.usage, "name a .png, .jpg or .ppm file"),
    ("", Status.usage, "name a .png, .jpg or .ppm file"),
    ("out.pgm", Status.usage, "name a .png, .jpg or .ppm file"),
    ("photo.png", Status.usage, "name another file"),
    ("./folder.png/../photo.png", Status.usage, "name another file"),
    ("link.png", Status.usage, "name another file"),
  ]

  private func place() throws -> Workplace {
    let place = try Workplace.furnished()
    try FileManager.default.createDirectory(at: place.url("folder.png"), withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      at: place.url("link.png"), withDestinationURL: place.url("photo.png"))
    return place
  }

  @Test("is refused before anything is computed", arguments: outputs)
  func output(path: String, status: Int32, says: String) async throws {
    let place = try place()
    let photo = try place.bytes("photo.png")
    var refusal = Refusal(status: status, says: says)
    refusal.arguments = Self.edit + [path]
    try await refusal.check(in: place)
    #expect(try place.bytes("photo.png") == photo)
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path("folder.png")).isEmpty)
  }

  @Test(
    "is refused in a folder without write permission", .enabled(if: geteuid() != 0, "root may write anywhere")
  )
  func readOnlyFolder() async throws {
    let place = try place()
    let folder = place.path("folder.png")
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder)
    try await Refusal(
      "edit", "-i", "photo.png", "-p", "x", "-o", "folder.png/out.png", status: Status.cannotWrite,
      says: "cannot be written"
    ).check(in: place)
  }

  static let masks: [(String, Int32, String)] = [
    ("none/mask.png", Status.cannotWrite, "create it first"), ("mask.ppm", Status.usage, ".pgm"),
    ("out.png", Status.usage, "name two"), ("mask.png", Status.usage, "name another file"),
    ("photo.png", Status.usage, "name another file"),
  ]

  @Test("is refused for the mask as well", arguments: masks)
  func mask(path: String, status: Int32, says: String) async throws {
    var refusal = Refusal(status: status, says: says)
    refusal.arguments = Self.edit + ["out.png", "--mask", "mask.png", "--save-mask", path]
    try await refusal.check(in: place())
  }

  @Test(
    "is refused where two results would be one file, however it is written",
    arguments: [
      ["--mask", "mask.png", "--save-mask", "./out.png"], ["--save-inversion", "folder.png/../out.png"],
      ["--mask", "mask.png", "--save-mask", "m.png", "--save-inversion", "./m.png"],
    ])
  func one(options: [String]) async throws {
    var refusal = Refusal(says: "are one file: name two")
    refusal.arguments = Self.edit + ["out.png", "--source-prompt", ""] + options
    try await refusal.check(in: place())
  }

  @Test(
    "is refused for an inversion as well",
    arguments: [
      ("folder.png", Status.cannotWrite, "is a folder; name a file"),
      ("none/ball.inv", Status.cannotWrite, "there is no folder none; create it first"),
      ("photo.png", Status.usage, "name another file"),
    ] as [(String, Int32, String)])
  func inversion(path: String, status: Int32, says: String) async throws {
    var refusal = Refusal(status: status, says: says)
    refusal.arguments = Self.edit + ["out.png", "--source-prompt", "", "--save-inversion", path]
    try await refusal.check(in: place())
  }

  @Test("leaves what stood under its name")
  func keepsOld() async throws {
    let place = try place()
    try place.add("out.png", "old".utf8)
    var refusal = Refusal(says: "--steps")
    refusal.arguments = Self.edit + ["out.png", "--steps", "0"]
    try await refusal.check(in: place)
    #expect(try place.bytes("out.png") == Array("old".utf8))
  }

  @Test("of a trace or a generated picture is refused alike")
  func others() async throws {
    let place = try place()
    try await Refusal(
      "generate", "-p", "x", "-o", "none/out.png", status: Status.cannotWrite, says: "create it"
    )
    .check(in: place)
    let parity = Command.smallModel.deletingLastPathComponent().appending(path: "c_schedule").path
    try await Refusal(
      "trace", parity, "-o", "none/out.st", status: Status.cannotWrite, says: "cannot be written"
    )
    .check(in: place)
  }
}
