import Foundation
import Packing
import Pentimento
import TestSupport
import Testing
import WeightStorage

@Suite("A model whose files changed") struct DamagedModelTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "damaged-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  /// Inverts the lowest bits of a byte, in place.
  private func damage(_ file: URL, at offset: Int) throws {
    let handle = try FileHandle(forUpdating: file)
    try handle.seek(toOffset: UInt64(offset))
    let byte = try #require(try handle.read(upToCount: 1)).first!
    try handle.seek(toOffset: UInt64(offset))
    try handle.write(contentsOf: [byte ^ 1])
    try handle.close()
  }

  @Test("is not computed from: a flipped bit in a container is named, whatever tensor it is in")
  func container() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "c.safetensors")
    let original = try Model(folder: SingleFile.folderURL("sd15"))
    _ = try original.quantize(to: file, QuantizationRequest(precision: .int8, scales: .maxAbs), threads: 2)
    let sound = try await edit(Model(at: file))
    let tensors = try SafetensorsFile(path: file.path).tensors
    for name in [
      "unet.conv_in.weight", "unet.mid_block.resnets.0.conv1.weight", "vae.decoder.conv_out.bias",
      "unet.mid_block.resnets.0.conv1.weight.scale", "text_encoder.text_model.final_layer_norm.weight",
      "text_encoder.text_model.embeddings.token_embedding.weight",
    ] {
      // The lowest bit of a tensor's last number: an ordinary value, whatever its type.
      let tensor = try #require(tensors.first { $0.name == name })
      let place = tensor.range.upperBound - tensor.element.byteCount
      try damage(file, at: place)
      await #expect(throws: WeightFileError.damagedTensor(file: file.path, tensor: name)) {
        try await edit(Model(at: file))
      }
      try damage(file, at: place)
    }
    #expect(try await edit(Model(at: file)) == sound)
  }

  @Test("while it was in use gives no picture: the folder's file was written over in place")
  func folderModel() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let copy = folder.appending(path: "model")
    try FileManager.default.copyItem(at: SingleFile.folderURL("sd15"), to: copy)
    let file = copy.appending(path: "unet/diffusion_pytorch_model.safetensors")
    let model = try Model(folder: copy)
    let name = "unet/diffusion_pytorch_model.safetensors"
    try await Task.sleep(for: .milliseconds(30))  // a clock tick
    try damage(file, at: try SafetensorsFile(path: file.path).tensors[0].range.lowerBound)
    await #expect(throws: WeightFileError.changed(file: name)) { try await edit(model) }
    _ = try await edit(Model(folder: copy))
  }

  @Test("only in its name or its permissions is the same model") func renamed() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let copy = folder.appending(path: "model")
    try FileManager.default.copyItem(at: SingleFile.folderURL("sd15"), to: copy)
    let model = try Model(folder: copy)
    let file = copy.appending(path: "unet/diffusion_pytorch_model.safetensors")
    #expect(chmod(file.path, 0o600) == 0)
    try FileManager.default.moveItem(at: copy, to: folder.appending(path: "moved"))
    try FileManager.default.removeItem(at: folder.appending(path: "moved/unet"))
    let picture = try await edit(model)
    #expect(try await picture == edit(Model(folder: SingleFile.folderURL("sd15"))))
  }
}
