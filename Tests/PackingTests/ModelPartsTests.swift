import Foundation
import Packing
import Pentimento
import TestSupport
import Testing
import WeightStorage

/// Networks that come from other files than the model's own.
@Suite("A network from a file of its own") struct ModelPartsTests {
  /// The autoencoder of the donor, sd21, in every form that it may be given in; the model is sd15.
  enum Form: String, CaseIterable, Sendable {
    case wholeFolder, wholeFile, wholeGGUF, folder, file, publishedNames, bareNames
  }

  private let temporary = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

  /// A file of the donor's tensors whose names begin with a prefix, without it if `isBare`.
  private func file(_ tensors: [String: StoredTensor], below prefix: String, isBare: Bool) throws
    -> SingleFile
  {
    let kept = tensors.filter { $0.key.hasPrefix(prefix) }.map { name, tensor in
      (isBare ? String(name.dropFirst(prefix.count)) : name, tensor)
    }
    return try SingleFile(Dictionary(uniqueKeysWithValues: kept))
  }

  @Test("replaces the autoencoder, whatever form it has", arguments: Form.allCases)
  func autoencoder(form: Form) throws {
    let (base, donor) = try (SingleFile.folder("sd15"), SingleFile.folder("sd21"))
    let half = try HalfModel("sd21")
    let tensors = try SingleFile.tensors("sd21")
    let prefix = "first_stage_model."
    let (published, bare, whole) = try (
      file(tensors, below: prefix, isBare: false), file(tensors, below: prefix, isBare: true),
      SingleFile(tensors)
    )
    let path =
      switch form {
      case .wholeFolder: donor.path
      case .wholeFile: whole.path
      case .wholeGGUF: try half.gguf(.whole).path
      case .folder: "\(donor.path)/vae"
      case .file: "\(donor.path)/vae/diffusion_pytorch_model.safetensors"
      case .publishedNames: published.path
      case .bareNames: bare.path
      }
    let model = try openModel(path: base.path, parts: ["vae": path])
    let (ours, theirs) = try (model.weights(of: "vae"), donor.weights(of: "vae"))
    let own = try base.weights(of: "vae")
    #expect(try own.floats("decoder.conv_in.weight") != theirs.floats("decoder.conv_in.weight"))
    #expect(ours.names == theirs.names)
    for name in theirs.names {
      let expected = try theirs.floats(name)
      let isHalf = form == .wholeGGUF
      #expect(try ours.floats(name) == (isHalf ? expected.map { Float(Float16($0)) } : expected), "\(name)")
    }
    #expect(
      try model.weights(of: "unet").floats("conv_in.bias") == base.weights(of: "unet").floats("conv_in.bias"))
    if form == .wholeFolder || form == .folder {
      #expect(try model.data("vae/config.json") == donor.data("vae/config.json"))
    }
  }

  @Test(
    "replaces the text encoders, whatever their names",
    arguments: [
      ("text_encoder", "conditioner.embedders.0.transformer."),
      ("text_encoder_2", "conditioner.embedders.1.model."),
    ])
  func text(component: String, prefix: String) throws {
    let folder = try SingleFile.folder("sdxl")
    let tensors = try SingleFile.tensors("sdxl")
    let others = try SingleFile(tensors.filter { !$0.key.hasPrefix(prefix) })
    let whole = try SingleFile(tensors)
    let bare = try file(tensors, below: prefix, isBare: true)
    for path in [
      bare.path, whole.path, folder.path, "\(folder.path)/\(component)",
      "\(folder.path)/\(component)/model.safetensors",
    ] {
      let model = try openModel(path: others.path, configuration: folder, parts: [component: path])
      let (ours, theirs) = try (model.weights(of: component), folder.weights(of: component))
      // The first encoder of a folder may have a projection that nobody reads.
      #expect(Set(theirs.names).subtracting(ours.names).allSatisfy { $0.hasPrefix("text_projection") })
      for name in ours.names { #expect(try ours.floats(name) == theirs.floats(name), "\(path) \(name)") }
      _ = try Model(
        at: URL(fileURLWithPath: others.path), configuration: URL(fileURLWithPath: folder.path),
        parts: [ModelPart(rawValue: component)!: URL(fileURLWithPath: path)])
    }
  }

  /// Names and shapes alone: the files hold zeros.
  @Test("and the rest of a model has the configuration of the whole", arguments: ["sd15", "sd21", "sdxl"])
  func configuration(family: String) throws {
    let published = try SingleFile.published(family)
    let prefix = "model.diffusion_model."
    let whole = try SingleFile(sparse: published)
    let network = try SingleFile(
      sparse: published.filter { $0.name.hasPrefix(prefix) }.map {
        (String($0.name.dropFirst(prefix.count)), $0.shape)
      })
    let components = ["vae", "text_encoder"] + (family == "sdxl" ? ["text_encoder_2"] : [])
    let expected = try SingleFileModel(path: whole.path)
    let model = try openModel(
      path: network.path, parts: Dictionary(uniqueKeysWithValues: components.map { ($0, whole.path) }))
    for file in ["unet/config.json", "scheduler/scheduler_config.json"]
      + components.map({ "\($0)/config.json" })
    {
      #expect(try model.data(file) == expected.data(file), "\(file)")
    }
    #expect(model.usesPublishedVocabulary)
  }

  @Test("brings its tokenizer if it comes out of a whole folder")
  func tokenizer() throws {
    let (base, donor) = try (SingleFile(SingleFile.tensors("sd15")), SingleFile.folder("sd15"))
    let model = try openModel(
      path: base.path, configuration: DiffusersFolder(path: donor.path), parts: ["text_encoder": donor.path])
    #expect(try model.data("tokenizer/merges.txt") == donor.data("tokenizer/merges.txt"))
    #expect(model.label("tokenizer/merges.txt") == "\(donor.path)/tokenizer/merges.txt")
    #expect(model.label("text_encoder/config.json") == "\(donor.path)/text_encoder/config.json")
  }

  /// What is given for what, and the sentence.
  struct Mistake: Sendable, CustomTestStringConvertible {
    var part: String
    /// What the given file begins with.
    var prefix: String
    var says: String
    var testDescription: String { "\(part) from \(prefix)" }
  }

  @Test(
    "is refused by name",
    arguments: [
      Mistake(part: "vae", prefix: "cond_stage_model.", says: "has no vae; name a file"),
      Mistake(part: "text_encoder", prefix: "first_stage_model.", says: "has no text_encoder; name a file"),
      Mistake(
        part: "text_encoder_2", prefix: "cond_stage_model.", says: "the model has no text_encoder_2; leave"),
    ])
  func refusals(mistake: Mistake) throws {
    let tensors = try SingleFile.tensors("sd15")
    let given = try SingleFile(tensors.filter { $0.key.hasPrefix(mistake.prefix) })
    let error = try refusal {
      try openModel(path: SingleFile.folder("sd15").path, parts: [mistake.part: given.path])
    }
    #expect(error.contains(given.path) && error.contains(mistake.says), "\(error)")
  }

  @Test("is asked for by the names of its options")
  func missing() throws {
    let prefix = "model.diffusion_model."
    let tensors = try SingleFile.tensors("sdxl").filter { $0.key.hasPrefix(prefix) }
    let file = try SingleFile(tensors)
    let error = try refusal { try openModel(path: file.path) }
    for network in ["autoencoder", "text encoder and no second text encoder"] {
      #expect(error.contains(network))
    }
    let folder = try SingleFile.folder("sdxl").path
    let second = try refusal {
      try openModel(path: file.path, parts: ["text_encoder": folder, "vae": folder])
    }
    #expect(second.contains("no second text encoder; name a file that has it too"))
    let absent = try refusal { try openModel(path: folder, parts: ["vae": "/no/such"]) }
    #expect(absent.contains("/no/such: there is no such file"))
  }
}
