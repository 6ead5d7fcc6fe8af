import FoundationEssentials
import WeightStorage

/// The configuration of a single-file model, as the JSON files of a diffusers folder.
///
/// All of it follows from the names and shapes of the tensors and from the family, but for the prediction type.
struct ModelDescription {
  var family: Family
  var components: [String: TranslatedTensors]
  var names: Set<String>
  var metadata: [String: String]
  /// What the user says the network predicts.
  var prediction: String?
  var file: String

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

  var notes: [String] {
    predicts.isKnown
      ? []
      : [
        "\(file) does not say what its network predicts; it is taken for velocity, as in the 768 pixel models of "
          + "Stable Diffusion 2: if results are noise, give --prediction-type epsilon --size 512"
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

  /// - Parameter given: files that it has are not made, so that shapes nobody can read do not matter.
  /// - Throws: `missingTensor`, `unusualShapes`.
  func files(sparing given: DiffusersFolder?) throws(WeightFileError) -> [String: Data] {
    var files: [String: Data] = [:]
    func add(_ name: String, _ make: () throws(WeightFileError) -> some Encodable) throws(WeightFileError) {
      guard given?.contains(name) != true else { return }
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      encoder.keyEncodingStrategy = .convertToSnakeCase
      do { files[name] = try encoder.encode(make()) } catch let error as WeightFileError { throw error } catch
      {
        preconditionFailure("\(name): \(error)")
      }
    }
    try add("model_index.json") { IndexFields(forceZerosForEmptyPrompt: family == .sdxl) }
    try add("scheduler/scheduler_config.json") {
      ScheduleFields(predictionType: predicts.type, rescaleBetasZeroSnr: names.contains("ztsnr"))
    }
    try add("unet/config.json") { () throws(WeightFileError) in
      try DenoiserFields(shapes("unet"), family, sampleSize: sampleSize)
    }
    try add("vae/config.json") { () throws(WeightFileError) in
      try AutoencoderFields(shapes("vae"), family, sampleSize: 8 * sampleSize)
    }
    for (i, component) in family.textEncoders.enumerated() {
      try add("\(component)/config.json") { () throws(WeightFileError) in
        try TextFields(shapes(component), isOpenCLIP: family == .sd2 || i == 1)
      }
      let tokenizer = i == 0 ? "tokenizer" : "tokenizer_2"
      try add("\(tokenizer)/special_tokens_map.json") { MarkFields(padToken: family.padToken(ofEncoder: i)) }
    }
    return files
  }

  private func shapes(_ component: String) -> Shapes {
    Shapes(file: file, shapes: components[component]?.shapes ?? [:])
  }
}

/// Names and shapes of a component, asked for what a configuration says.
struct Shapes {
  let file: String
  let shapes: [String: [Int]]

  func has(_ name: String) -> Bool { shapes[name] != nil }

  /// - Throws: `missingTensor`; `unusualShapes` if the tensor has not so many dimensions.
  func size(_ name: String, _ axis: Int) throws(WeightFileError) -> Int {
    guard let shape = shapes[name] else { throw .missingTensor(file: file, tensor: name) }
    guard axis < shape.count else {
      throw .unusualShapes(file: file, reason: "\(name) has shape \(shape)")
    }
    return shape[axis]
  }

  /// How many of `name(0)`, `name(1)`, … there are.
  func count(_ name: (Int) -> String) -> Int { (0...).prefix { has(name($0)) }.count }

  func unusual(_ reason: String) -> WeightFileError { .unusualShapes(file: file, reason: reason) }
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
  var predictionType: String
  var rescaleBetasZeroSnr: Bool
}

private struct MarkFields: Encodable { var padToken: String }
