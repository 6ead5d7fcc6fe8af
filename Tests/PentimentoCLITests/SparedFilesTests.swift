import Foundation
import TestSupport
import Testing

/// A folder in which everything that an edit can read lies, with other names for it.
@Suite("A file that is read", .serialized) struct SparedFilesTests {
  private func place() async throws -> Workplace {
    let place = try Workplace.furnished()
    let manager = FileManager.default
    try manager.copyItem(at: Command.smallModel, to: place.url("model"))
    let single = try SingleFile(SingleFile.tensors("sd15"))
    try manager.copyItem(atPath: single.path, toPath: place.path("single.safetensors"))
    let lora = Command.smallModel.appending(path: "../../LoRA/sd15/kohya.safetensors").standardizedFileURL
    try manager.copyItem(at: lora, to: place.url("lora.safetensors"))
    try place.add("points.json", #"{"source": [[10, 10]], "target": [[20, 20]]}"#.utf8)
    try manager.createSymbolicLink(atPath: place.path("link"), withDestinationPath: "single.safetensors")
    try manager.linkItem(atPath: place.path("single.safetensors"), toPath: place.path("hard.png"))
    try manager.linkItem(atPath: place.path("lora.safetensors"), toPath: place.path("lora.png"))
    try manager.createSymbolicLink(
      atPath: place.path("unet.png"), withDestinationPath: "model/unet/diffusion_pytorch_model.safetensors")
    return place
  }

  private static let edit = ["edit", "-i", "photo.png", "-p", "a cat", "--source-prompt", "", "--steps", "2"]
  private static let single = ["-m", "single.safetensors", "--config", Command.smallModel.path]
  private static let unet = "model/unet/diffusion_pytorch_model.safetensors"

  static let writes: [[String]] = [
    edit + single + ["-o", "out.png", "--save-inversion", "single.safetensors"],
    edit + single + ["-o", "out.png", "--save-inversion", "link"],
    edit + single + ["-o", "hard.png"],
    edit + single + [
      "-o", "out.png", "--mask", "mask.png", "--method", "diffedit", "--save-mask", "hard.png",
    ],
    edit + ["-m", "model", "-o", "out.png", "--save-inversion", unet],
    edit + ["-m", "./model/", "-o", "out.png", "--save-inversion", "model/model_index.json"],
    edit + ["-m", "model", "-o", "out.png", "--save-inversion", "model/tokenizer/merges.txt"],
    edit + ["-m", "model", "-o", "unet.png"],
    edit + [
      "-m", "single.safetensors", "--config", "model", "-o", "out.png", "--save-inversion",
      "model/vae/config.json",
    ],
    edit + [
      "--text-encoder", "model", "-o", "out.png", "--save-inversion", "model/text_encoder/model.safetensors",
    ],
    edit + ["--vae", "model/vae", "-o", "out.png", "--save-inversion", "model/vae/config.json"],
    edit + ["--lora", "lora.safetensors:0.5", "-o", "lora.png"],
    edit + ["--lora", "lora.safetensors", "-o", "out.png", "--save-inversion", "./lora.safetensors"],
    edit + ["--drag-file", "points.json", "-o", "out.png", "--save-inversion", "points.json"],
    ["generate", "-p", "a cat"] + single + ["-o", "hard.png"],
    ["generate", "-p", "a cat", "--lora", "lora.safetensors", "-o", "lora.png"],
    ["quantize", "model", unet, "--weights", "fp16"],
    ["quantize"] + ["single.safetensors", "single.safetensors", "--weights", "fp16", "--config", "model"],
    ["quantize", "model", "photo.safetensors", "--weights", "int8", "--calibrate", "photo.png"],
  ]

  @Test("is not written over, whatever option and name lead to it", arguments: writes)
  func spared(words: [String]) async throws {
    let place = try await place()
    try FileManager.default.linkItem(atPath: place.path("photo.png"), toPath: place.path("photo.safetensors"))
    let names = try FileManager.default.subpathsOfDirectory(atPath: place.url.path).filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: place.path(name), isDirectory: &isFolder)
        && !isFolder.boolValue
    }
    let before = try names.map { try place.bytes($0) }
    var refusal = Refusal(says: "would replace a file that is read: name another file")
    refusal.arguments = words
    try await refusal.check(in: place)
    for (name, bytes) in zip(names, before) { #expect(try place.bytes(name) == bytes, "\(name)") }
  }

  @Test("of a traced case is not written over")
  func trace() async throws {
    let place = try Workplace()
    let parity = Command.smallModel.deletingLastPathComponent().appending(path: "c_schedule")
    try FileManager.default.copyItem(at: parity, to: place.url("case"))
    for name in ["case.json", "inputs.safetensors"] {
      let before = try place.bytes("case/\(name)")
      var refusal = Refusal(says: "would replace a file that is read")
      refusal.arguments = ["trace", "case", "-o", "case/\(name)", "-m", Command.smallModel.path]
      try await refusal.check(in: place)
      #expect(try place.bytes("case/\(name)") == before)
    }
  }

  @Test("does not keep results out of a model's folder")
  func resultsInTheFolder() async throws {
    let place = try await place()
    for _ in 0..<2 {
      let words = ["--skip", "0", "-m", "model", "-o", "model/out.png", "--save-inversion", "model/ball.inv"]
      let run = try await Command.run(Self.edit + words, in: place)
      #expect(run.exited && run.status == Status.done, "\(run.errors)")
    }
  }
}
