import Foundation
import TestSupport
import Testing

@Suite("A container that cannot be written", .serialized) struct QuantizeRefusalTests {
  private static func quantize(_ input: String, _ output: String) -> [String] {
    ["quantize", input, output, "--weights", "int8", "-t", "1"]
  }

  private static let model = Command.smallModel.path

  static let outputs: [(String, Int32, String)] = [
    ("none/out.safetensors", Status.cannotWrite, "create it first"),
    ("photo.png/out.safetensors", Status.cannotWrite, "create it first"),
    ("folder.safetensors", Status.cannotWrite, "is a folder; name a file in it"),
    ("/sys/out.safetensors", Status.cannotWrite, "cannot be written"),
    ("loop.safetensors", Status.cannotWrite, "symbolic links"),
    ("out.gguf", Status.usage, "has to end in .safetensors"),
  ]

  private func place() throws -> Workplace {
    let place = try Workplace.furnished()
    try FileManager.default.createDirectory(
      at: place.url("folder.safetensors"), withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: place.path("loop.safetensors"), withDestinationPath: "loop.safetensors")
    return place
  }

  @Test("is refused with the next step", arguments: outputs)
  func output(path: String, status: Int32, says: String) async throws {
    let place = try place()
    var refusal = Refusal(status: status, says: says)
    refusal.arguments = Self.quantize(Self.model, path)
    try await refusal.check(in: place)
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path("folder.safetensors")).isEmpty)
  }

  @Test(
    "is refused in a folder without write permission", .enabled(if: geteuid() != 0, "root may write anywhere")
  )
  func readOnlyFolder() async throws {
    let place = try place()
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o555], ofItemAtPath: place.path("folder.safetensors"))
    var refusal = Refusal(status: Status.cannotWrite, says: "cannot be written")
    refusal.arguments = Self.quantize(Self.model, "folder.safetensors/out.safetensors")
    try await refusal.check(in: place)
  }

  @Test("is refused in the place of a file that is read, however it is spelt")
  func sameFile() async throws {
    let place = try place()
    let file = try SingleFile(SingleFile.tensors("sd15"))
    try FileManager.default.moveItem(atPath: file.path, toPath: place.path("in.safetensors"))
    try FileManager.default.createSymbolicLink(
      atPath: place.path("link.safetensors"), withDestinationPath: "in.safetensors")
    let before = try place.bytes("in.safetensors")
    for output in ["in.safetensors", "./photo.png/../in.safetensors", "link.safetensors"] {
      var refusal = Refusal(says: "would replace a file that is read: name another file")
      refusal.arguments = Self.quantize("in.safetensors", output) + ["--config", Self.model]
      try await refusal.check(in: place)
      #expect(try place.bytes("in.safetensors") == before)
    }
    let copy = try place.addModel("model", replacing: "", by: nil)
    var refusal = Refusal(says: "would replace a file that is read")
    refusal.arguments = Self.quantize("model", "model/unet/diffusion_pytorch_model.safetensors")
    try await refusal.check(in: place)
    #expect(FileManager.default.fileExists(atPath: copy.path))
  }

  /// Whether a command of the system succeeds.
  private static func runs(_ arguments: String...) throws -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  @Test("is refused on a full disk, and leaves nothing on it")
  func fullDisk() async throws {
    let place = try place()
    let disk = place.path("folder.safetensors")
    guard try Self.runs("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk) else {
      return  // not allowed here
    }
    defer { _ = try? Self.runs("umount", "-l", disk) }
    var refusal = Refusal(status: Status.cannotWrite, says: "No space left on device", "check free space")
    refusal.arguments = Self.quantize(Self.model, "folder.safetensors/out.safetensors")
    try await refusal.check(in: place)
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk).isEmpty)
  }

  /// A model of 2 GB that takes no room on the disk, and many seconds to quantize.
  @Test(
    "leaves nothing behind when it is ended, and what stood under its name",
    arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL])
  func ended(by signal: Int32) async throws {
    let place = try Workplace()
    let file = try SingleFile(sparse: SingleFile.published("sd15"))
    try place.add("out.safetensors", "old".utf8)
    let run = try await Command.run(Self.quantize(file.path, "out.safetensors"), in: place, after: 1) {
      kill($0, signal)
    }
    if signal == SIGKILL {
      #expect(!run.exited && run.status == SIGKILL)
    } else {
      #expect(run.exited && run.status == Status.ended(by: signal), "\(run.status) \(run.errors)")
      #expect(run.complaints == ["pentimento: interrupted, nothing was written"])
    }
    #expect(run.output == "")
    // Even a process that is killed leaves no file where the file system knows files without names.
    let partials = try place.contents.filter { $0 != "out.safetensors" }
    #expect(partials.isEmpty || signal == SIGKILL && partials.allSatisfy { $0.hasSuffix(".partial") })
    #expect(try place.bytes("out.safetensors") == Array("old".utf8))
  }
}

@Suite("A model that changes while it is used", .serialized) struct ChangingModelTests {
  private static let edit = [
    "edit", "-i", "photo.png", "-p", "a cat", "-o", "out.png", "--steps", "100", "-t", "1", "-m",
  ]

  private func container(in place: Workplace) async throws {
    let run = try await Command.run(
      ["quantize", Command.smallModel.path, "model.safetensors", "--weights", "int8", "-t", "1"], in: place)
    try #require(run.status == Status.done, "\(run.errors)")
  }

  @Test("ends the run with a sentence when its container shrinks")
  func container() async throws {
    let place = try Workplace.furnished()
    try await container(in: place)
    let before = try place.contents
    let path = place.path("model.safetensors")
    let run = try await Command.run(Self.edit + ["model.safetensors"], in: place, after: 0.5) { _ in
      truncate(path, 100_000)
    }
    Refusal(status: Status.badModel, says: "model.safetensors: is cut off", "download it again").expect(run)
    #expect(try place.contents == before)
  }

  /// One stage's weights are read when it begins; the decoder's are needed last.
  @Test("ends the run with a sentence when a file of its folder shrinks")
  func folder() async throws {
    let place = try Workplace.furnished()
    let name = "vae/diffusion_pytorch_model.safetensors"
    let model = try place.addModel("model", replacing: name, by: Workplace.modelFile(name))
    let path = model.appending(path: name).path
    let run = try await Command.run(Self.edit + ["model"], in: place, after: 0.5) { _ in
      truncate(path, 100_000)
    }
    Refusal(status: Status.badModel, says: "vae/diffusion_pytorch_model.safetensors: is cut off").expect(run)
    #expect(!place.exists("out.png"))
  }

  @Test("is not protected from a bus error that is none of its files'")
  func otherBusErrors() async throws {
    let place = try Workplace.furnished()
    try await container(in: place)
    let run = try await Command.run(Self.edit + ["model.safetensors"], in: place, after: 0.5) {
      kill($0, SIGBUS)
    }
    #expect(!run.exited && run.status == SIGBUS, "\(run.status) \(run.errors)")
    #expect(!place.exists("out.png"))
  }
}
