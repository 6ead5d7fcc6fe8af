import Foundation
import Testing
import WeightStorage

@Suite("LoRA files, from the command line", .serialized) struct LoRARunTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/LoRA").standardizedFileURL
  private static let file = folder.appending(path: "sd15/kohya.safetensors").path
  private static let edit = [
    "edit", "-i", "photo.png", "-p", "a cat", "--steps", "3", "--size", "64", "-t", "1", "-o",
  ]

  @Test("change the edit by their scale, are planned, reported and inspected")
  func edits() async throws {
    let place = try Workplace.furnished()
    for (name, lora) in [
      ("plain", []), ("none", ["--lora", Self.file + ":0"]), ("half", ["--lora", Self.file + ":0.5"]),
    ] {
      let run = try await Command.run(Self.edit + ["\(name).png", "--no-metadata"] + lora, in: place)
      #expect(run.status == Status.done, "\(run.errors)")
    }
    #expect(try place.bytes("none.png") == place.bytes("plain.png"))
    #expect(try place.bytes("half.png") != place.bytes("plain.png"))

    let report = try await Command.run(
      Self.edit + ["r.png", "--report", "json", "--lora", Self.file + ":0.5"], in: place)
    #expect(report.output.contains("kohya.safetensors:0.5") && !report.output.contains(Self.folder.path))
    let planned = try await Command.run(
      ["plan", "--size", "64", "-p", "a cat", "--lora", Self.file], in: place)
    #expect(planned.status == Status.done, "\(planned.errors)")
    let inspected = try await Command.run(["inspect", Self.file], in: place)
    #expect(inspected.output.contains("LoRA for 4 layers of text_encoder, 8 layers of unet; rank 2"))
  }

  @Test("belong to an inversion that was made with them, which names them where they are missing")
  func inversion() async throws {
    let place = try Workplace.furnished()
    let lora = ["--lora", Self.file + ":0.5"]
    let made = try await Command.run(
      Self.edit + ["a.png", "--source-prompt", "a dog", "--save-inversion", "a.inv"] + lora, in: place)
    #expect(made.status == Status.done, "\(made.errors)")
    let use = ["edit", "--inversion", "a.inv", "-p", "a cat", "-o", "b.png"]
    let used = try await Command.run(use + lora, in: place)
    #expect(used.status == Status.done, "\(used.errors)")
    var refusal = Refusal(says: "(\"model with kohya.safetensors:0.5\"): give the same --model and --lora")
    refusal.arguments = use
    try await refusal.check(in: place)
  }

  @Test("are blamed for their own numbers and factors, by file and status")
  func blame() async throws {
    let place = try Workplace.furnished()
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Self.file)))
    let tensors = try SafetensorsFile(path: Self.file).tensors
    let up = try #require(tensors.first { $0.name.contains("unet") && $0.name.contains(".lora_up") })
    bytes.replaceSubrange(up.range.lowerBound..<up.range.lowerBound + 2, with: [0, 0x7E])
    try place.add("nan.safetensors", bytes)
    for (lora, says) in [
      ("nan.safetensors", "nan.safetensors: tensor \(up.name) holds numbers"),
      (Self.file + ":1e30", "give a smaller factor"),
    ] {
      var refusal = Refusal(status: Status.badModel, says: says)
      refusal.arguments = Self.edit + ["out.png", "--lora", lora]
      try await refusal.check(in: place)
    }
  }

  @Test(
    "are refused with the next step",
    arguments: [
      Refusal("--lora", "missing.safetensors", status: Status.badModel, says: "no such file"),
      Refusal("--lora", file + ":nan", says: "--lora cannot be", "FILE:0.8"),
      Refusal(
        "--lora", folder.appending(path: "sdxl/kohya.safetensors").path, status: Status.badModel,
        says: "belongs to no layer of this model", "use a LoRA"),
      Refusal("--lora-min", "0.2", says: "has no use for --lora-min"),
    ])
  func refuses(refusal: Refusal) async throws {
    var refusal = refusal
    refusal.arguments = Self.edit + ["out.png"] + refusal.arguments
    try await refusal.check(in: Workplace.furnished())
  }
}
