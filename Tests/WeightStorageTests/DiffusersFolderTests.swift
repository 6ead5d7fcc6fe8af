import Foundation
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
    #expect(throws: WeightFileError.missingFile(file: "tokenizer/vocab.json")) {
      try model.data("tokenizer/vocab.json")
    }
    #expect(throws: WeightFileError.missingKey(file: "unet/config.json", key: "sample_size")) {
      try model.config(of: "unet")["sample_size"].integer()
    }
    #expect(throws: WeightFileError.missingWeights(folder: "tokenizer")) {
      try model.weights(of: "tokenizer")
    }
    try folder.add("unet/config.json", "{")
    #expect(throws: WeightFileError.badJSON(file: "unet/config.json", reason: "expected \"\"\" at byte 1")) {
      try model.config(of: "unet")
    }
  }

  @Test("is refused where the path is something else")
  func refused() throws {
    #expect(throws: WeightFileError.missingFile(file: "/no/such")) { try DiffusersFolder(path: "/no/such") }
    let file = folder.path + "/unet/config.json"
    #expect(throws: WeightFileError.notAModelFolder(folder: file, reason: "it is a single file")) {
      try DiffusersFolder(path: file)
    }
    let unet = folder.path + "/unet"
    #expect(throws: WeightFileError.notAModelFolder(folder: unet, reason: "it has no model_index.json")) {
      try DiffusersFolder(path: unet)
    }
  }
}

@Suite("Weight summary") struct WeightSummaryTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test("counts tensors, numbers and bytes of a file, a folder and an index alike")
  func counts() throws {
    let tensors = [
      "a": StoredTensor([1, 2, 3] as [Float], shape: [3]),
      "b": StoredTensor([1, 2] as [Float16], shape: [2]),
      "ids": StoredTensor([1] as [Int64], shape: [1]),
    ]
    let path = try folder.add("model.safetensors", "")
    try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: path)
    let index = try folder.add(
      "other.index.json",
      #"{"weight_map": {"a": "model.safetensors", "b": "model.safetensors", "ids": "model.safetensors"}}"#)
    for source in [path, folder.path, index] {
      let summary = try WeightSummary(of: source)
      #expect(summary.files == [path])
      #expect(summary.tensors.count == 3 && summary.elementCount == 6 && summary.byteCount == 24)
      #expect(summary.bytesByElement.map(\.element) == [.f32, .i64, .f16])
      #expect(summary.bytesByElement.map(\.bytes) == [12, 8, 4])
      #expect(summary.metadata == ["format": "pt"])
    }
  }
}
