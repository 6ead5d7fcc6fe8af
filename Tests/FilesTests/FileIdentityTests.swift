import Files
import Foundation
import Testing

@Suite("Files of a run") struct FileIdentityTests {
  private let folder: TemporaryFolder
  init() throws {
    folder = try TemporaryFolder()
    try folder.add("model/unet/weights.safetensors", "w")
    try folder.add("model/model_index.json", "{}")
    try folder.add("blobs/0123", "vae")
    try folder.add("model/vae/config.json", "{}")
    try folder.link("model/vae/weights.safetensors", to: "../../blobs/0123")
    try folder.add("model/out.png", "an older result")
    try folder.link("model/self", to: "../model")
    try folder.add("photo.png", "p")
    try folder.link("link.png", to: "photo.png")
    try folder.link("new.png", to: "made.png")
    #expect(link(folder.path("model/unet/weights.safetensors"), folder.path("hard")) == 0)
  }

  private func conflict(_ written: [String], read: [String] = []) -> FileClash? {
    do throws(FileClash) {
      try FileClash.check(
        written: written.map { NamedFile("--output", folder.path($0)) },
        read: read.map { NamedFile("--image", folder.path($0)) })
    } catch { return error }
    return nil
  }

  @Test("are told apart, and known again, however they are spelled")
  func identity() {
    func same(_ a: String, _ b: String) -> Bool {
      FileIdentity(folder.path(a)) == FileIdentity(folder.path(b))
    }
    #expect(same("photo.png", "link.png"))
    #expect(same("photo.png", "./model/../photo.png"))
    #expect(same("hard", "model/unet/weights.safetensors"))
    #expect(same("new.png", "made.png"))
    #expect(same("none.png", "model/..//none.png"))
    #expect(!same("none.png", "none2.png"))
    #expect(!same("none.png", "model/none.png"))
    #expect(!same("photo.png", "model/model_index.json"))
    #expect(FileIdentity(folder.path("no/such")) == nil)
  }

  @Test(
    "clash where one that is written is one that is read",
    arguments: [
      ("photo.png", "photo.png"), ("photo.png", "link.png"), ("link.png", "photo.png"),
      ("blobs/../photo.png", "photo.png"), ("hard", "model/unet/weights.safetensors"),
      ("none.png", "./none.png"), ("new.png", "made.png"),
    ])
  func read(written: String, read: String) throws {
    let clash = try #require(conflict(["other", written], read: ["model/model_index.json", read]))
    #expect(clash.kind == .readAndWritten && clash.inside == nil)
    #expect(clash.written.path == folder.path(written) && clash.other.path == folder.path(read))
  }

  @Test(
    "clash where one that is written lies in a folder that is read, behind links too",
    arguments: [
      ("model/unet/weights.safetensors", "weights.safetensors"), ("hard", "weights.safetensors"),
      ("model/model_index.json", "model_index.json"), ("blobs/0123", "weights.safetensors"),
      ("model/self/model_index.json", "model_index.json"),
    ])
  func inside(written: String, name: String) throws {
    let clash = try #require(conflict([written], read: ["photo.png", "model"]))
    #expect(clash.kind == .readAndWritten && clash.other.path == folder.path("model"))
    #expect(clash.inside?.hasSuffix("/\(name)") == true)
  }

  @Test("clash where two that are written are one") func twice() throws {
    for (a, b) in [("a.png", "./a.png"), ("photo.png", "link.png"), ("new.png", "made.png")] {
      let clash = try #require(conflict([a, "b", b], read: ["model"]))
      #expect(clash.kind == .writtenTwice)
      #expect(clash.written.path == folder.path(a) && clash.other.path == folder.path(b))
    }
  }

  @Test("do not clash where each is another, in a folder that is read too") func none() {
    #expect(conflict(["a.png", "b.png", "model/new.png"], read: ["model", "photo.png", "no/such"]) == nil)
    #expect(conflict(["no/such/a", "no/such/a"]) == nil)
  }
}
