import Foundation
import JSON
import Testing
import WeightStorage

@Suite("Model folder") struct DiffusersFolderTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.add(
      "model_index.json",
      """
      {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0", "requires_safety_checker": true,
       "safety_checker": [null, null], "feature_extractor": ["transformers", "CLIPFeatureExtractor"],
       "scheduler": ["diffusers", "PNDMScheduler"], "tokenizer": ["transformers", "CLIPTokenizer"],
       "unet": ["diffusers", "UNet2DConditionModel"]}
      """)
    try folder.add("scheduler/scheduler_config.json", #"{"beta_start": 0.00085}"#)
    try folder.add("tokenizer/merges.txt", "#version: 0.2\n")
    try folder.add("unet/config.json", #"{"in_channels": 4}"#)
    try folder.add(
      "unet/diffusion_pytorch_model.safetensors", ["w": StoredTensor([1, 2] as [Float], shape: [2])])
  }

  @Test("offers the components that are there, their configurations, files and weights")
  func opens() throws {
    let model = try DiffusersFolder(path: folder.path)
    #expect(model.components == ["scheduler", "tokenizer", "unet"])
    #expect(model.has("unet") && !model.has("vae") && !model.has("safety_checker"))
    #expect(try model.className(of: "unet") == "UNet2DConditionModel")
    #expect(try model.config(of: "unet")["in_channels"].integer() == 4)
    #expect(try model.config(of: "scheduler")["beta_start"].real() == 0.00085)
    #expect(try model.data("tokenizer/merges.txt") == Data("#version: 0.2\n".utf8))
    #expect(model.contains("tokenizer/merges.txt") && !model.contains("tokenizer/vocab.json"))
    #expect(try model.weights(of: "unet").floats("w") == [1, 2])
    #expect(try model.weights(of: "unet").label == "unet/diffusion_pytorch_model.safetensors")
  }

  @Test("names files by their place in it")
  func labels() throws {
    let model = try DiffusersFolder(path: folder.path)
    #expect(throws: WeightFileError.lacksFile(folder: folder.path, file: "tokenizer/vocab.json")) {
      try model.data("tokenizer/vocab.json")
    }
    #expect(throws: ConfigurationError.missingKey(file: "unet/config.json", key: "sample_size")) {
      try model.config(of: "unet")["sample_size"].integer()
    }
    #expect(throws: WeightFileError.missingWeights(folder: "tokenizer")) {
      try model.weights(of: "tokenizer")
    }
    try folder.add("unet/config.json", "{")
    #expect(
      throws: WeightFileError.configuration(
        .badJSON(file: "unet/config.json", reason: "expected \"\"\" at byte 1"))
    ) { try model.config(of: "unet") }
  }

  @Test("is refused where the path is something else")
  func refused() throws {
    #expect(throws: WeightFileError.file(.missing(file: "/no/such"))) {
      try DiffusersFolder(path: "/no/such")
    }
    let file = folder.path + "/unet/config.json"
    #expect(throws: WeightFileError.notAModelFolder(folder: file, reason: "it is a single file", meant: nil)) {
      try DiffusersFolder(path: file)
    }
  }

  @Test("names what was perhaps meant: the model around a network's folder, one below, the one file of tensors")
  func meant() throws {
    func meant(_ path: String) throws -> String? {
      do throws(WeightFileError) { _ = try DiffusersFolder(path: path) } catch {
        guard case .notAModelFolder(path, "it has no model_index.json", let meant) = error else { throw error }
        return meant
      }
      Issue.record("was opened")
      return nil
    }
    #expect(try meant(folder.path + "/unet") == folder.path)
    let cache = try TemporaryFolder()
    let hub = cache.path
    try cache.add("snapshots/README", "")
    #expect(try meant(hub) == nil)
    try cache.add("model.safetensors", "")
    #expect(try meant(hub) == hub + "/model.safetensors")
    try cache.add("other.gguf", "")
    #expect(try meant(hub) == nil)
    try cache.add("snapshots/39593d5/model_index.json", "{}")
    #expect(try meant(hub) == hub + "/snapshots/39593d5")
  }
}
