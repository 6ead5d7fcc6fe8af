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

  private static let pruned = SingleFile.folderURL("pruned").path
  private static let ggufFolder = SingleFile.fixtures.appending(path: "GGUF").path

  @Test("edits from a GGUF file, whole or a network that others complete")
  func gguf() async throws {
    let place = try Workplace.furnished()
    let whole = ["-m", "\(Self.ggufFolder)/pruned-whole.gguf", "--config", Self.pruned]
    let network = [
      "\(Self.ggufFolder)/pruned-unet-q8_0.gguf", "--config", Self.pruned, "--text-encoder",
      "\(Self.pruned)/text_encoder",
      "--vae", "\(Self.pruned)/vae/diffusion_pytorch_model.safetensors",
    ]
    for (name, model) in [("whole.png", whole), ("parts.png", ["-m"] + network)] {
      let run = try await Command.run(Self.edit + [name] + model, in: place)
      #expect(run.status == Status.done, "\(run.errors)")
      #expect(place.exists(name))
      let planned = try await Command.run(["plan", "--size", "128", "-p", "a cat"] + model, in: place)
      #expect(planned.status == Status.done, "\(planned.errors)")
    }
    let inspected = try await Command.run(["inspect"] + network, in: place)
    #expect(inspected.output.contains("(unet): 356 tensors"), "\(inspected.errors)")
    #expect(inspected.output.contains("Q8_0: 48 tensors, 311168 bytes"))
    let alone = try await Command.run(["inspect", network[0], "--tensors"], in: place)
    #expect(alone.output.contains("input_blocks.1.0.in_layers.2.weight Q8_0 16×16×3×3"), "\(alone.output)")
    #expect(alone.output.contains("general.architecture: sd1"))
  }

  @Test("needs the vocabulary that comes with the program")
  func noVocabulary() async throws {
    let place = try Workplace()
    let copy = place.url("pentimento")
    try FileManager.default.copyItem(at: Command.executable, to: copy)
    let file = try SingleFile(sparse: SingleFile.published("sd15"))
    let run = try await Command.run(["inspect", file.path], in: place, copy: copy)
    #expect(run.status == Status.badModel, "\(run.errors)")
    #expect(run.errors.contains("CLIP's vocabulary was found at neither"), "\(run.errors)")
    #expect(run.errors.contains("install Weights/clip with the program"))
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

  private static let refusals = [
    Refusal("--config", Command.smallModel.path, says: "--config is for a model in a single file"),
    Refusal(
      "-m", "\(ggufFolder)/pruned-unet-q8_0.gguf", status: Status.badModel,
      says: "it has no autoencoder and no text encoder", "--vae and --text-encoder"),
    Refusal(
      "--text-encoder-2", "model.ckpt", status: Status.badModel, says: "the model has no text_encoder_2"),
    Refusal("--vae", "model.ckpt", status: Status.badModel, says: "is a pickle", "convert it"),
    Refusal("--vae", "lora.safetensors", status: Status.badModel, says: "has no vae; name a file"),
    Refusal("-m", "model.ckpt", status: Status.badModel, says: "is a pickle", "convert it"),
    Refusal("-m", "lora.safetensors", status: Status.badModel, says: "it is a LoRA"),
  ]

  @Test("is refused with the next step", arguments: refusals)
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
