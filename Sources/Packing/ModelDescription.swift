import FoundationEssentials
import WeightStorage

/// The configuration of a single-file model, as the JSON files of a diffusers folder.
///
/// All of it follows from the names and shapes of the tensors and from the family, but for the prediction type.
struct ModelDescription {
  var family: Family
  /// The names of the file.
  var names: Set<String> = []
  var metadata: [String: String] = [:]
  /// What the user says the network predicts.
  var prediction: String?
  var file: String

  /// What the user says of its timesteps.
  var spacing: String?
  /// How it is sampled, by its title; nil where the user says it, or nothing does.
  private var title: FewSteps? {
    // A network that is told the guidance says more than a title.
    guard spacing == nil, !names.contains(where: { $0.hasSuffix(".cond_proj.weight") }) else { return nil }
    return FewSteps(metadata: metadata)
  }

  /// What the network predicts, by the user's word, by marks in the file, or by the family.
  private var predicts: (type: String, isKnown: Bool) {
    if let prediction { return (prediction, true) }
    if names.contains("v_pred") { return ("v_prediction", true) }
    switch metadata["modelspec.prediction_type"] {
    case "v", "v_prediction": return ("v_prediction", true)
    case "epsilon": return ("epsilon", true)
    default: return family == .sd2 ? ("v_prediction", false) : ("epsilon", true)
    }
  }

  /// - Parameter said: what the user's configuration says that the network predicts; it holds, unless the user says
  ///   otherwise again.
  func notes(besideConfiguration said: String, of folder: String) -> [String] {
    guard prediction == nil, isMarked, predicts.type != said else { return [] }
    return [
      "\(file) is marked as predicting \(predicts.type), but \(folder) says \(said), and that holds: "
        + "if results are noise, give --prediction-type \(predicts.type)"
    ]
  }

  /// Whether the file itself says what its network predicts.
  private var isMarked: Bool {
    names.contains("v_pred")
      || ["v", "v_prediction", "epsilon"].contains(metadata["modelspec.prediction_type"] ?? "")
  }

  var notes: [String] {
    var notes: [String] = []
    if !predicts.isKnown {
      notes.append(
        "\(file) does not say what its network predicts; it is taken for velocity, as in the 768 pixel models of "
          + "Stable Diffusion 2: if results are noise, give --prediction-type epsilon --size 512")
    }
    return notes + titleNotes
  }

  /// That the title was believed.
  private var titleNotes: [String] {
    guard let title, let words = metadata["modelspec.title"] ?? metadata["ss_output_name"] else { return [] }
    let otherwise = title == .jumps ? "--sampler ode" : "--spacing leading"
    return [
      "\(file) is called \"\(words)\" in its metadata and is sampled as \(title.examples) are; if it is none of them, "
        + "give \(otherwise)"
    ]
  }

  /// Side of the pictures that the model was trained on, in latent pixels.
  private var sampleSize: Int {
    switch family {
    case .sd1: 64
    case .sd2: predicts.type == "v_prediction" ? 96 : 64
    case .sdxl: 128
    }
  }

  /// The small files of a folder but for the networks' configurations.
  var files: [String: Data] {
    var files = [
      "model_index.json": Self.json(IndexFields(forceZerosForEmptyPrompt: family == .sdxl)),
      "scheduler/scheduler_config.json": Self.json(
        ScheduleFields(
          predictionType: predicts.type, rescaleBetasZeroSnr: names.contains("ztsnr"), sampling: title)),
    ]
    for (i, tokenizer) in ["tokenizer", "tokenizer_2"].prefix(family.textEncoders.count).enumerated() {
      files["\(tokenizer)/special_tokens_map.json"] = Self.json(
        MarkFields(padToken: family.padToken(ofEncoder: i)))
    }
    return files
  }

  /// `config.json` of a network.
  ///
  /// - Throws: `missingTensor`, `unusualShapes`.
  func configuration(of component: String, _ weights: Checkpoint) throws(WeightFileError) -> Data {
    let shapes = Shapes(weights)
    return switch component {
    case "unet": Self.json(try DenoiserFields(shapes, family, sampleSize: sampleSize))
    case "vae": Self.json(try AutoencoderFields(shapes, family, sampleSize: 8 * sampleSize))
    default: Self.json(try TextFields(shapes, isOpenCLIP: family.isOpenCLIP(component)))
    }
  }

  static func json(_ fields: some Encodable) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    encoder.keyEncodingStrategy = .convertToSnakeCase
    do { return try encoder.encode(fields) } catch { preconditionFailure("\(fields): \(error)") }
  }
}

/// Names and shapes of a component, asked for what a configuration says.
struct Shapes {
  let shapes: [String: [Int]]
  private let weights: Checkpoint
  private let tree: NameTree

  init(_ weights: Checkpoint) {
    self.weights = weights
    shapes = Dictionary(uniqueKeysWithValues: weights.tensors.map { ($0.name, $0.shape) })
    tree = NameTree(weights.names)
  }

  var names: [String] { weights.names }

  /// Whether there is a tensor of this name or below it.
  func has(_ path: String) -> Bool { tree.has(path) }

  /// How many of `path(0)`, `path(1)`, … there are.
  func count(_ path: (Int) -> String) -> Int { tree.count(path) }

  /// - Throws: `missingTensor`; `unusualShapes` if the tensor has not so many dimensions.
  func size(_ name: String, _ axis: Int) throws(WeightFileError) -> Int {
    let shape = try weights.shape(of: name)
    guard axis < shape.count else { throw unusual("\(weights.ownName(of: name)) has shape \(shape)") }
    return shape[axis]
  }

  func unusual(_ reason: String) -> WeightFileError { .unusualShapes(file: weights.label, reason: reason) }
}

private struct IndexFields: Encodable { var forceZerosForEmptyPrompt: Bool }

/// The schedule of all three families.
private struct ScheduleFields: Encodable {
  let betaSchedule = "scaled_linear"
  let betaStart = 0.00085
  let betaEnd = 0.012
  let numTrainTimesteps = 1000
  let setAlphaToOne = false
  let stepsOffset = 1
  let clipSample = false
  let predictionType: String
  let rescaleBetasZeroSnr: Bool
  let _className: String?
  let timestepSpacing: String?

  /// - Parameter sampling: nil of ordinary models.
  init(predictionType: String, rescaleBetasZeroSnr: Bool, sampling: FewSteps?) {
    (self.predictionType, self.rescaleBetasZeroSnr) = (predictionType, rescaleBetasZeroSnr)
    _className = sampling == .jumps ? "LCMScheduler" : nil
    timestepSpacing = sampling == .trailing ? "trailing" : nil
  }
}

/// A tokenizer's marks, as the published files have them.
private struct MarkFields: Encodable {
  struct Mark: Encodable {
    var content: String
    let normalized = true
  }

  let bosToken = Mark(content: "<|startoftext|>")
  let eosToken = Mark(content: "<|endoftext|>")
  let unkToken = Mark(content: "<|endoftext|>")
  var padToken: String
}
