import Foundation
import TestSupport
import Testing
import WeightStorage

@Suite("Quantized models, from the command line", .serialized) struct QuantizedRunTests {
  private static let edit = [
    "edit", "-i", "photo.png", "-p", "a cat", "--steps", "3", "--size", "64", "--no-metadata", "-t", "1",
    "-o",
  ]
  private static let small = Command.smallModel.path

  /// With containers of the small model, `fp32.safetensors` and `int8.safetensors`.
  private func place() async throws -> Workplace {
    let place = try Workplace.furnished()
    for weights in ["fp32", "int8"] {
      let run = try await Command.run(
        ["quantize", Self.small, "\(weights).safetensors", "--weights", weights], in: place)
      #expect(run.status == Status.done, "\(run.errors)")
    }
    return place
  }

  @Test("take networks from elsewhere, and other models take theirs; of 32 bits with the folder's bytes")
  func parts() async throws {
    let place = try await place()
    let (folder, container) = (["-m", Self.small], ["-m", "fp32.safetensors"])
    func parts(_ from: String) -> [String] { ["--vae", from, "--text-encoder", from] }
    let models = [
      folder, container + parts(Self.small), folder + parts("fp32.safetensors"),
      container + parts("fp32.safetensors"),
    ]
    for (i, model) in models.enumerated() {
      let run = try await Command.run(Self.edit + ["\(i).png"] + model, in: place)
      #expect(run.status == Status.done, "\(model) \(run.errors)")
      #expect(try place.bytes("\(i).png") == place.bytes("0.png"), "\(model)")
    }
    let bytes = folder + ["--vae", "int8.safetensors"]
    let run = try await Command.run(Self.edit + ["int8.png"] + bytes, in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    #expect(try place.bytes("int8.png") != place.bytes("0.png"))
  }

  @Test("are not computed from when a bit of their data has flipped, whatever the command")
  func damaged() async throws {
    let place = try await place()
    let name = "vae.decoder.conv_in.bias"
    let tensor = try SafetensorsFile(path: place.path("int8.safetensors")).tensor(name)
    var bytes = try place.bytes("int8.safetensors")
    bytes[tensor.range.lowerBound] ^= 1
    try place.add("int8.safetensors", bytes)
    for arguments in [
      Self.edit + ["out.png", "-m", "int8.safetensors"],
      Self.edit + ["out.png", "-m", Self.small, "--vae", "int8.safetensors"],
      [
        "compare", "int8.safetensors", Self.small, "-i", "photo.png", "--source-prompt", "a", "-p", "b",
        "--no-edits",
      ],
    ] {
      var refusal = Refusal(status: Status.badModel, says: "tensor \(name) has changed since it was written")
      refusal.arguments = arguments
      try await refusal.check(in: place)
    }
  }

  @Test("are refused where they cannot be used, before anything is computed or written")
  func refusals() async throws {
    let place = try await place()
    let (small, out) = (Self.small, "out.safetensors")
    let other = SingleFile.folderURL("sdxl").path
    let compare = ["-i", "photo.png", "--source-prompt", "a", "-p", "b", "--no-edits"]
    func quantize(_ more: String...) -> [String] { ["quantize", small, out, "--weights", "int8"] + more }
    let refusals: [([String], Int32, String)] = [
      (
        ["quantize", "int8.safetensors", out, "--weights", "int8", "--calibrate", "photo.png"],
        Status.badModel, "is quantized already"
      ),
      (
        ["quantize", "int8.safetensors", out, "--weights", "int8", "--vae", small],
        Status.badModel, "is quantized already"
      ),
      (quantize("--vae", "int8.safetensors"), Status.badModel, "is quantized already"),
      (quantize("--text-encoder-2", "int8.safetensors"), Status.badModel, "has no text_encoder_2"),
      (
        quantize("--keep", "unet.middle"), Status.usage,
        "no weight has \"unet.middle\" in its name: give a part"
      ),
      (quantize("--keep", ""), Status.usage, "no weight has \"\" in its name"),
      (["quantize", small, out, "--weights", "fp16", "--keep", "unet"], Status.usage, "--weights int8"),
      (quantize("--rule", "unet"), Status.usage, "unet.mid_block=fp16"),
      (quantize("--rule", "unet=int4"), Status.usage, "unet.mid_block=fp16"),
      (["quantize", small, "--weights", "int8"], Status.usage, "--dry-run"),
      (["compare", "int8.safetensors", small], Status.usage, "is no container: give --image"),
      (["compare", "int8.safetensors", "int8.safetensors", "--size", "64"], Status.usage, "--size is for networks"),
      (["compare", "int8.safetensors", small, "-p", "b"], Status.usage, "--image"),
      (quantize("--size", "64"), Status.usage, "--size is for --calibrate"),
      (quantize("--source-prompt", "a"), Status.usage, "--source-prompt is for --calibrate"),
      (quantize("--calibrate", "photo.png", "--size", "64x"), Status.usage, "512x768"),
      (quantize("--calibrate", "none.png"), Status.badPicture, "none.png does not exist"),
      (quantize("-t", "0"), Status.usage, "1 to 256"),
      (["compare", "int8.safetensors", other] + compare, Status.badModel, "was not made from"),
      (["compare", other, "int8.safetensors"] + compare, Status.badModel, "was not made from"),
      (["compare", "int8.safetensors", small, "-t", "0"] + compare, Status.usage, "1 to 256"),
      (["inspect", "--verify", small], Status.badModel, "has no hashes"),
    ]
    for (arguments, status, words) in refusals {
      var refusal = Refusal(status: status, says: words)
      refusal.arguments = arguments
      try await refusal.check(in: place)
    }
  }

  @Test("tell beforehand what they will be, and how two of them differ")
  func forecasts() async throws {
    let place = try await place()
    let before = try place.contents
    let told = try await Command.run(["quantize", Self.small, "--weights", "int8", "--dry-run"], in: place)
    #expect(told.status == Status.done, "\(told.errors)")
    #expect(try place.contents == before)
    for words in ["stay fp16", "unet time_emb_proj", "signal to noise expected from 24 of"] {
      #expect(told.output.contains(words), "\(told.output)")
    }
    let made = try await Command.run(
      ["quantize", Self.small, "other.safetensors", "--weights", "int8", "--rule", "unet.mid_block=fp16"],
      in: place)
    #expect(made.status == Status.done, "\(made.errors)")
    let files = ["int8.safetensors", "other.safetensors"]
    let compared = try await Command.run(["compare"] + files, in: place)
    #expect(compared.status == Status.done, "\(compared.errors)")
    #expect(compared.output.contains("made from the same files"))
    let differences = compared.output.split(separator: "\n").filter { $0.contains("unet.") }
    #expect(
      !differences.isEmpty
        && differences.allSatisfy {
          $0.contains("unet.mid_block") && $0.hasPrefix("I8 ") && $0.contains("F16")
        })
    let same = try await Command.run(["compare", files[0], files[0], "--report", "json"], in: place)
    #expect(same.output.filter { !$0.isWhitespace }.contains("\"differences\":[]"), "\(same.output)")
  }

  @Test("compare equal in 32 bits, whatever their native size")
  func compare() async throws {
    let place = try await place()
    let made = try await Command.run(
      ["quantize", Self.small, "wide.safetensors", "--weights", "fp32", "--native-size", "192"], in: place)
    #expect(made.status == Status.done, "\(made.errors)")
    let run = try await Command.run(
      [
        "compare", "wide.safetensors", Self.small, "-i", "photo.png", "--source-prompt", "a", "-p", "b",
        "--no-edits", "--size", "64",
      ], in: place)
    let lines = run.output.split(separator: "\n")
    #expect(run.status == Status.done && lines.count == 14, "\(run.errors)")
    #expect(lines.allSatisfy { $0.hasSuffix("equal") }, "\(run.output)")
  }
}
