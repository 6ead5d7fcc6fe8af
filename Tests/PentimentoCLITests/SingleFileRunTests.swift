import Foundation
import TestSupport
import Testing

@Suite("A model in a single file, from the command line", .serialized) struct SingleFileRunTests {
  private static let edit = [
    "edit", "-i", "photo.png", "-p", "a cat", "--steps", "3", "--no-metadata", "-t", "1", "-o",
  ]

  @Test("edits like the folder, is planned and inspected like it")
  func likeTheFolder() async throws {
    let place = try Workplace.furnished()
    let file = try SingleFile(SingleFile.tensors("sd15"))
    let model = ["-m", file.path, "--config", Command.smallModel.path]
    let ours = try await Command.run(Self.edit + ["ours.png"] + model, in: place)
    let theirs = try await Command.run(Self.edit + ["theirs.png"], in: place)
    #expect(ours.status == Status.done && theirs.status == Status.done, "\(ours.errors)")
    #expect(try place.bytes("ours.png") == place.bytes("theirs.png"))
    #expect(ours.complaints == theirs.complaints)

    let inspected = try await Command.run(["inspect", file.path] + model.suffix(2), in: place)
    #expect(inspected.output.contains("channels 16×32×32×32, heads 8×8×8×8, context 32, predicts epsilon"))
    let planned = try await Command.run(["plan", "--size", "128", "-p", "a cat"] + model, in: place)
    #expect(planned.status == Status.done, "\(planned.errors)")
  }

  @Test("predicts what --prediction-type says, as a folder does")
  func predictionType() async throws {
    let place = try Workplace.furnished()
    for (type, says) in [("v", "predicts v_prediction"), ("epsilon", "predicts epsilon")] {
      let run = try await Command.run(
        ["inspect", Command.smallModel.path, "--prediction-type", type], in: place)
      #expect(run.output.contains(says), "\(run.errors)")
    }
  }

  @Test(
    "is refused with the next step",
    arguments: [
      Refusal("--config", Command.smallModel.path, says: "--config is for a model in a single file"),
      Refusal("-m", "model.ckpt", status: Status.badModel, says: "is a pickle", "convert it"),
      Refusal("-m", "lora.safetensors", status: Status.badModel, says: "it is a LoRA"),
    ])
  func refuses(refusal: Refusal) async throws {
    let place = try Workplace.furnished()
    try place.add("model.ckpt", [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 100))
    let lora = try SingleFile(sparse: [("lora_unet_mid_block.alpha", [])])
    try place.add("lora.safetensors", Data(contentsOf: URL(fileURLWithPath: lora.path)))
    var refusal = refusal
    refusal.arguments = Self.edit + ["out.png"] + refusal.arguments
    try await refusal.check(in: place)
  }
}
