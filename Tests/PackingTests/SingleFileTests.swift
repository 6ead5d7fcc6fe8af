import Editing
import Foundation
import Packing
import Pentimento
import Tensors
import TestSupport
import Testing
import WeightStorage

/// Small random models as diffusers folders and as single files.
@Suite("Single file") struct SingleFileTests {
  private static let families = ["sd15", "sd21", "sdxl"]

  @Test(
    "has the tensors of the diffusers folder, name by name and bit by bit",
    arguments: families + ["ssd1b", "lcm"])
  func tensors(family: String) throws {
    let folder = try SingleFile.folder(family)
    let file = try SingleFile(SingleFile.tensors(family))
    let model = try SingleFileModel(path: file.path, configuration: folder)
    for component in ["unet", "vae", "text_encoder", "text_encoder_2"] where folder.has(component) {
      #expect(model.has(component))
      let (ours, theirs) = try (model.weights(of: component), folder.weights(of: component))
      #expect(ours.names == theirs.names)
      for name in theirs.names {
        #expect(try ours.shape(of: name) == theirs.shape(of: name), "\(name)")
        #expect(try ours.floats(name) == theirs.floats(name), "\(name)")
      }
    }
    #expect(model.has("text_encoder_2") == folder.has("text_encoder_2"))
  }

  @Test("gives the same picture as the diffusers folder", arguments: families + ["ssd1b", "lcm"])
  func picture(family: String) async throws {
    let folder = URL(fileURLWithPath: try SingleFile.folder(family).path)
    let file = try SingleFile(SingleFile.tensors(family))
    let ours = try Model(at: URL(fileURLWithPath: file.path), configuration: folder)
    #expect(ours.notes.isEmpty)
    #expect(try await edit(ours) == edit(Model(at: folder)))
  }

  @Test(
    "gives the same picture in 8 and 16 bits as with the same values in 32",
    arguments: [StoredElement.f16, .bf16, .f8e4m3, .f8e5m2])
  func precisions(element: StoredElement) async throws {
    var (narrow, wide) = try (SingleFile.tensors("sdxl"), SingleFile.tensors("sdxl"))
    for (name, tensor) in wide where tensor.shape.count > 0 {
      (narrow[name], wide[name]) = rounded(tensor, to: element)
    }
    let folder = URL(fileURLWithPath: try SingleFile.folder("sdxl").path)
    let files = try (SingleFile(narrow), SingleFile(wide))
    let a = try await edit(Model(at: URL(fileURLWithPath: files.0.path), configuration: folder))
    let b = try await edit(Model(at: URL(fileURLWithPath: files.1.path), configuration: folder))
    #expect(a == b)
  }

  @Test("has a projection that a converter turned and called weight, as it is", arguments: [true, false])
  func turnedProjection(isTurned: Bool) throws {
    let folder = try SingleFile.folder("sdxl")
    var tensors = try SingleFile.tensors("sdxl")
    let name = "conditioner.embedders.1.model.text_projection"
    let own = try folder.weights(of: "text_encoder_2")
    let projection = try own.floats("text_projection.weight")
    if isTurned {
      tensors[name] = nil
      tensors[name + ".weight"] = StoredTensor(projection, shape: try own.shape(of: "text_projection.weight"))
    }
    let file = try SingleFile(tensors)
    let model = try SingleFileModel(path: file.path, configuration: folder)
    #expect(try model.weights(of: "text_encoder_2").floats("text_projection.weight") == projection)
  }

  @Test(
    "is read with the scale that is beside a weight of eight bits",
    arguments: ["scale_weight", "weight_scale"])
  func scaled(ending: String) throws {
    let folder = try SingleFile.folder("sd15")
    var tensors = try SingleFile.tensors("sd15")
    let layer = "model.diffusion_model.input_blocks.1.0.in_layers.2"
    let weight = try #require(tensors["\(layer).weight"])
    let codes = (0..<weight.shape.reduce(1, *)).map { UInt8(truncatingIfNeeded: $0) & 0x77 }
    tensors["\(layer).weight"] = StoredTensor(element: .f8e4m3, shape: weight.shape, bytes: codes)
    tensors["scaled_fp8"] = StoredTensor(element: .f8e4m3, shape: [0], bytes: [])
    let plain = try SingleFile(tensors)
    tensors["\(layer).\(ending)"] = StoredTensor([0.3] as [Float], shape: ending == "scale_weight" ? [1] : [])
    tensors["\(layer).scale_input"] = StoredTensor([2] as [Float], shape: [1])
    let file = try SingleFile(tensors)
    func floats(_ file: SingleFile) throws -> [Float] {
      let model = try SingleFileModel(path: file.path, configuration: folder)
      return try model.weights(of: "unet").floats("down_blocks.0.resnets.0.conv1.weight")
    }
    #expect(try floats(file) == floats(plain).map { 0.3 * $0 })
    tensors["\(layer).\(ending)"] = StoredTensor([0.3, 0.3] as [Float], shape: [2])
    let rows = try SingleFile(tensors)
    #expect(
      throws: WeightFileError.severalScales(file: rows.path, tensor: "\(layer).\(ending)", count: 2)
    ) { try floats(rows) }
  }

  @Test("says when its mark loses against the configuration given") func markBesideConfiguration() throws {
    let folder = try SingleFile.folder("sd15")
    var tensors = try SingleFile.tensors("sd15")
    let plain = try SingleFile(tensors)
    tensors["v_pred"] = StoredTensor([Float](), shape: [0])
    let marked = try SingleFile(tensors)
    func notes(_ file: SingleFile, _ prediction: String? = nil) throws -> [String] {
      try SingleFileModel(path: file.path, configuration: folder, prediction: prediction).notes
    }
    #expect(try notes(plain).isEmpty && notes(marked, "epsilon").isEmpty)
    let note = try #require(try notes(marked).first)
    #expect(note.contains("marked as predicting v_prediction") && note.contains("--prediction-type"))
  }

  @Test("of full size opens with nothing but its names and shapes", arguments: families)
  func published(family: String) throws {
    let file = try SingleFile(sparse: SingleFile.published(family))
    let model = try Model(at: URL(fileURLWithPath: file.path))
    #expect(model.nativeSize == ["sd15": 512, "sd21": 768, "sdxl": 1024][family])
    #expect(model.sizeMultiple == (family == "sdxl" ? 32 : 64))
    #expect(model.schedule.prediction == (family == "sd21" ? .velocity : .epsilon))
    #expect(model.notes.count == (family == "sd21" ? 1 : 0))
  }

  @Test(
    "predicts what the user, a mark or the metadata says",
    arguments: [
      ("sd21", PredictionType.epsilon, "", PredictionType.epsilon, 512),
      ("sd21", .velocity, "epsilon", .velocity, 768), ("sd21", nil, "epsilon", .epsilon, 512),
      ("sd21", nil, "v", .velocity, 768), ("sdxl", .velocity, "", .velocity, 1024),
      ("sd15", nil, "v", .velocity, 512),
    ] as [(String, PredictionType?, String, PredictionType, Int)])
  func prediction(
    family: String, user: PredictionType?, metadata: String, expected: PredictionType, side: Int
  )
    throws
  {
    let file = try SingleFile(
      sparse: SingleFile.published(family), metadata: ["modelspec.prediction_type": metadata])
    let model = try Model(at: URL(fileURLWithPath: file.path), told: ModelHints(prediction: user))
    #expect(model.schedule.prediction == expected)
    #expect(model.nativeSize == side)
    #expect(model.notes.isEmpty)
  }

  @Test("with the mark of a velocity model predicts velocity")
  func mark() throws {
    let file = try SingleFile(sparse: SingleFile.published("sdxl") + [("v_pred", [])])
    #expect(try Model(at: URL(fileURLWithPath: file.path)).schedule.prediction == .velocity)
  }

  // MARK: Steps

  /// A tensor rounded to another element, in that and in 32 bits.
  private func rounded(_ tensor: StoredTensor, to element: StoredElement) -> (StoredTensor, StoredTensor) {
    let values = stride(from: 0, to: tensor.bytes.count, by: 4).map { i in
      Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(tensor.bytes[i + $1]) << UInt32(8 * $1) })
    }
    // Cutting bits off rounds towards zero, and every format's code is then known without a table.
    let halves = values.map { Float16($0).bitPattern }
    let codes: [UInt16] =
      switch element {
      case .f16: halves
      case .bf16: values.map { UInt16($0.bitPattern >> 16) }
      case .f8e5m2: halves.map { $0 >> 8 }
      default:
        values.map { value in  // the exponent's bias of 7 is Float16's 15 after a division by 2^8
          let half = Float16(value / 256)
          return (half.sign == .minus ? 0x80 : 0) | (half.magnitude.bitPattern >> 7)
        }
      }
    let kept: [Float] = codes.map { code in
      switch element {
      case .f16: Float(Float16(bitPattern: code))
      case .bf16: Float(bitPattern: UInt32(code) << 16)
      case .f8e5m2: Float(Float16(bitPattern: code << 8))
      default: Float(Float16(bitPattern: (code & 0x80) << 8 | (code & 0x7F) << 7)) * 256
      }
    }
    let bytes =
      element.byteCount == 1 ? codes.map { UInt8($0) } : codes.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    return (
      StoredTensor(element: element, shape: tensor.shape, bytes: bytes),
      StoredTensor(kept, shape: tensor.shape)
    )
  }
}
