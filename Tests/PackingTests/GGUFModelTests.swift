import Foundation
import Packing
import Pentimento
import TestSupport
import Testing
import WeightStorage

/// Small random models in half precision as folders, as single files and as GGUF files. The tables of the latter were
/// written by the public `gguf` package.
@Suite("GGUF model") struct GGUFModelTests {
  private static let families = ["sd15", "sd21", "sdxl"]
  private static let components = ["unet", "vae", "text_encoder", "text_encoder_2"]

  /// A noise network alone takes the others from the folder.
  private func parts(_ layout: HalfModel.Layout, _ folder: DiffusersFolder) -> [String: String] {
    let others = Self.components.dropFirst().filter(folder.has)
    return layout == .whole ? [:] : Dictionary(uniqueKeysWithValues: others.map { ($0, folder.path) })
  }

  @Test(
    "has the tensors of the folder, bit by bit", arguments: families, HalfModel.Layout.allCases)
  func tensors(family: String, layout: HalfModel.Layout) throws {
    let half = try HalfModel(family)
    let folder = try DiffusersFolder(path: half.folder().path)
    let model = try openModel(
      path: half.gguf(layout).path, configuration: folder, parts: parts(layout, folder))
    for component in Self.components where folder.has(component) {
      let (ours, theirs) = try (model.weights(of: component), folder.weights(of: component))
      #expect(ours.names == theirs.names)
      for name in theirs.names {
        #expect(
          try ours.element(of: name) == .f16 && ours.shape(of: name) == theirs.shape(of: name), "\(name)")
        #expect(try ours.floats(name) == theirs.floats(name), "\(name)")
      }
    }
  }

  @Test("gives the picture of the folder and of the safetensors file", arguments: families)
  func picture(family: String) async throws {
    let half = try HalfModel(family)
    let folder = try half.folder()
    let expected = try await edit(Model(at: folder))
    #expect(try await edit(Model(at: half.safetensors(), configuration: folder)) == expected)
    #expect(try await edit(Model(at: half.gguf(.whole), configuration: folder)) == expected)
    var parts: ModelParts = [.textEncoder: folder, .autoencoder: folder]
    if family == "sdxl" { parts[.secondTextEncoder] = folder }
    let network = try half.gguf(.unet)
    #expect(try await edit(Model(at: network, configuration: folder, parts: parts)) == expected)
  }

  @Test("as the gguf package wrote it, data and all, gives the picture of the folder")
  func foreignFile() async throws {
    let folder = SingleFile.folderURL("pruned")
    let half = try HalfModel("pruned")
    let file = SingleFile.fixtures.appending(path: "GGUF/pruned-whole.gguf")
    #expect(try await edit(Model(at: file, configuration: folder)) == edit(Model(at: half.folder())))
  }

  /// Q8_0: 32 elements share d = amax/127, rounded to Float16, and every element is rounded to a multiple of d. The
  /// tensors lie flat, so blocks run across the rows of convolutions.
  @Test("of 8-bit blocks is within half a step of the folder")
  func blocks() throws {
    let folder = try SingleFile.folder("pruned")
    let file = SingleFile.fixtures.appending(path: "GGUF/pruned-unet-q8_0.gguf")
    let model = try openModel(
      path: file.path, configuration: folder, parts: ["text_encoder": folder.path, "vae": folder.path])
    let (ours, theirs) = try (model.weights(of: "unet"), folder.weights(of: "unet"))
    #expect(ours.names == theirs.names)
    var blocks = 0
    for name in theirs.names where try ours.element(of: name) == .f32 {
      let (found, exact) = try (ours.floats(name), theirs.floats(name).map { Float(Float16($0)) })
      for start in stride(from: 0, to: exact.count, by: 32) {
        let block = start..<start + 32
        let most = exact[block].map(abs).max()!
        // Half a step; the scale's rounding, 2⁻¹¹ of up to 127 steps; Float's own.
        let bound = most / 127 * (0.5 + 127 / 2048) * 1.0001 + 1e-7
        #expect(block.allSatisfy { abs(found[$0] - exact[$0]) <= bound }, "\(name) from \(start)")
        blocks += 1
      }
    }
    #expect(blocks > 9000)
    _ = try Model(
      at: file, configuration: URL(fileURLWithPath: folder.path),
      parts: [.textEncoder: SingleFile.folderURL("pruned"), .autoencoder: SingleFile.folderURL("pruned")])
  }

  /// stable-diffusion.cpp renames while it converts: CLIP's names for OpenCLIP's encoders, whose weights stay fused and
  /// transposed; older versions wrote the linear layers around transformers as convolutions.
  @Test("with stable-diffusion.cpp's own names has the tensors of the folder", arguments: ["sd21", "sdxl"])
  func renamed(family: String) throws {
    var tensors: [String: StoredTensor] = [:]
    for (name, tensor) in try SingleFile.tensors(family) {
      tensors[Self.renamed(name)] = tensor
      if family == "sdxl" { tensors[Self.renamed(name)]!.shape = Self.squared(name, tensor.shape) }
    }
    let file = try SingleFile(tensors)
    let folder = try SingleFile.folder(family)
    let model = try SingleFileModel(path: file.path, configuration: folder)
    for component in Self.components where folder.has(component) {
      let (ours, theirs) = try (model.weights(of: component), folder.weights(of: component))
      #expect(ours.names == theirs.names, "\(component)")
      for name in theirs.names {
        #expect(try ours.shape(of: name) == theirs.shape(of: name), "\(name)")
        #expect(try ours.floats(name) == theirs.floats(name), "\(name)")
      }
    }
  }

  @Test(
    "with stable-diffusion.cpp's own names has the same configuration", arguments: ["sd15", "sd21", "sdxl"])
  func renamedConfiguration(family: String) throws {
    let published = try SingleFile.published(family)
    let renamed = published.map { (name: Self.renamed($0.name), shape: Self.squared($0.name, $0.shape)) }
    let (ours, theirs) = try (SingleFile(sparse: renamed), SingleFile(sparse: published))
    let models = try (SingleFileModel(path: ours.path), SingleFileModel(path: theirs.path))
    for component in Self.components where models.1.has(component) {
      let file = "\(component)/config.json"
      #expect(try models.0.data(file) == models.1.data(file), "\(component)")
    }
  }

  /// Projections as 1×1 convolutions.
  private static func squared(_ name: String, _ shape: [Int]) -> [Int] {
    let isProjection = name.hasSuffix(".proj_in.weight") || name.hasSuffix(".proj_out.weight")
    return isProjection && shape.count == 2 ? shape + [1, 1] : shape
  }

  private static func renamed(_ name: String) -> String {
    let pairs = [
      ("conditioner.embedders.0.", "cond_stage_model."), ("conditioner.embedders.1.", "cond_stage_model.1."),
      (".model.transformer.resblocks.", ".transformer.text_model.encoder.layers."),
      (".model.ln_final.", ".transformer.text_model.final_layer_norm."),
      (".model.positional_embedding", ".transformer.text_model.embeddings.position_embedding.weight"),
      (".model.token_embedding.", ".transformer.text_model.embeddings.token_embedding."),
      (".model.text_projection", ".transformer.text_model.text_projection"),
      ("attn.in_proj_", "self_attn.in_proj."), (".attn.out_proj.", ".self_attn.out_proj."),
      (".ln_1.", ".layer_norm1."), (".ln_2.", ".layer_norm2."), ("mlp.c_fc.", "mlp.fc1."),
      ("mlp.c_proj.", "mlp.fc2."),
      ("cond_stage_model.1.model.logit_scale", "conditioner.embedders.1.logit_scale"),
      ("cond_stage_model.model.logit_scale", "cond_stage_model.logit_scale"),
    ]
    return pairs.reduce(name) { name, pair in name.replacingOccurrences(of: pair.0, with: pair.1) }
  }
}
