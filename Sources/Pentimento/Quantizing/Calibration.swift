import Editing
import FoundationEssentials
import Kernels
import NeuralGraph
import Packing
import Pictures
import Runtime
import StableDiffusion
import Tensors
import WeightStorage

/// What a picture says about quantizing a model: which layers to rotate, and what int8 in each part of the model
/// costs an editor.
public struct Calibration: Sendable, Codable {
  /// A rotation that was found worth while.
  public struct Rotation: Sendable, Codable {
    /// `unet.mid_block.attentions.0.proj_in.weight`
    public var weight: String
    public var width: Int
    /// By how much the noise that quantizing puts into the layer's output falls, in decibels.
    public var gain: Double

    enum CodingKeys: String, CodingKey {
      case weight, width
      case gain = "gain_db"
    }
  }

  /// A part of the model that was quantized while all others stayed f16.
  public struct Group: Sendable, Codable {
    public var name: String
    /// Of the picture that an inversion reconstructs, against the original model's; nil where nothing differs.
    public var decibels: Double?

    enum CodingKeys: String, CodingKey {
      case name = "group"
      case decibels = "reconstruction_db"
    }
  }

  public var rotations: [Rotation] = []
  public var groups: [Group] = []
  /// All of it quantized as it will be.
  public var whole: Double?

  /// For `QuantizationRequest`.
  public var widths: [String: Int] {
    Dictionary(uniqueKeysWithValues: rotations.map { ($0.weight, $0.width) })
  }

  /// Noise levels at which activations are looked at.
  static let timesteps = [1, 181, 381, 581, 781, 981]
}

/// A picture that stands for those that a model will edit.
public struct CalibrationPicture: Sendable {
  /// Of any size, in a file or in memory.
  public var picture: any PictureSource
  /// What it shows.
  public var prompt: String
  /// At which size the networks work on it; nil: the model's native area.
  public var size: WorkingSize.Request?

  public init(_ picture: any PictureSource, prompt: String, size: WorkingSize.Request? = nil) {
    (self.picture, self.prompt, self.size) = (picture, prompt, size)
  }
}

extension Model {
  /// Finds out on a picture what int8 costs in each part of the model and which layers to rotate.
  ///
  /// - Parameters:
  ///   - url: where the container will be; parts of the model are written beside it for a while.
  ///   - progress: told what is looked at.
  /// - Throws: what quantizing and running a model throw.
  public func calibrate(
    on sample: CalibrationPicture, for request: QuantizationRequest, beside url: URL, threads: Int,
    progress: (String) -> Void = { _ in }
  ) async throws -> Calibration {
    try check(request)
    try checkOrdinary(for: "calibration")
    try verify()
    var calibration = Calibration()
    progress("activations")
    let quantizer = Quantizer(precision: .int8, scales: request.scales, rules: request.rules)
    let items = try packingList()
    let int8 = zip(items, quantizer.formats(of: items)).compactMap {
      $1.element == .s8 ? $0.name : nil
    }
    calibration.rotations = try await rotations(for: sample, threads: threads).filter {
      int8.contains($0.weight)
    }
    (calibration.groups, calibration.whole) = try await groupErrors(
      of: request, for: sample, calibration.widths, beside: url, threads: threads, progress: progress)
    return calibration
  }

  /// Runs the networks of a job on its picture and finds the layers whose inputs have outlier channels.
  ///
  /// - Throws: `WeightFileError`, `CancellationError`.
  package func rotations(for sample: CalibrationPicture, threads: Int) async throws -> [Calibration.Rotation]
  {
    let job = try reconstruction(of: sample, threads: threads)
    let thread = try NetworkThread()
    guard let picture = try await thread.run({ try job.pictures.read().picture }) else { return [] }
    let latent = try await job.codec(on: thread).encode(picture.signal).mean
    return try await thread.run { try rotations(for: sample.prompt, picture, latent, job) }
  }

  /// - Parameter picture: at its working size.
  private func rotations(
    for prompt: String, _ picture: Picture, _ latent: Latent, _ job: EditJob
  ) throws -> [Calibration.Rotation] {
    var survey = RotationSurvey(job.editor.pool)
    func run(_ stage: Stage, _ component: String, _ queries: [[String: HostTensor]]) throws {
      let executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: job.editor.pool)
      executor.onNode = { node, inputs in
        guard node.inputs.count > 1, let weight = stage.graph.weight(node.inputs[1]),
          weight.role == .matrix || weight.role == .convolution
        else { return }
        try survey.look(
          at: inputs, weight: weight, as: "\(component).\(weight.name)", stored: stage.weights[weight])
      }
      _ = try executor.run(queries)
    }

    for (i, part) in textEncoders.enumerated() {
      let ids = try part.tokenizer().encode(prompt, maxLength: tokens).ids.map(Float.init)
      try run(job.stages.text[i], part.component, [["ids": HostTensor(shape: [ids.count], values: ids)]])
    }
    let (width, height) = (picture.width, picture.height)
    let stages = Stages(model: self, threads: job.editor.pool.threads, budget: nil)
    try run(
      stages.encoder(width: width, height: height, keeping: .layerInputs), "vae",
      [["image": picture.signal]])
    let unscaled = (1 / Double(autoencoder.scalingFactor)) * latent
    try run(
      stages.decoder(width: width, height: height, keeping: .layerInputs), "vae",
      [["latent": unscaled.tensor]])

    let condition = try job.promptEncoder.encode(
      [prompt], negativePrompt: nil, width: width, height: height
    ).prompts[0]
    let tape = SeededTape(seed: 1)
    let queries = try Calibration.timesteps.enumerated().map { i, timestep in
      let noisy = schedule.diffuse(latent, to: timestep, try tape.normal(i, like: latent))
      return unet.configuration.inputs(NoiseQuery(noisy, timestep: timestep, condition))
    }
    try run(stages.noise(width: width, height: height, keeping: .layerInputs), "unet", queries)
    let names = try packingList().map { ("\($0.component).\($0.source)", $0.name) }
    let containerName = Dictionary(uniqueKeysWithValues: names)
    return survey.choices.map { name, choice in
      Calibration.Rotation(
        weight: containerName[name]!, width: choice.width, gain: (100 * choice.gain).rounded() / 100)
    }.sorted { ($1.gain, $0.weight) < ($0.gain, $1.weight) }
  }
}

extension Model {
  /// The model quantized part by part, and how well each reconstructs a picture from its DDIM inversion.
  ///
  /// Every part is written as a container of its own beside `url`, of which nothing is left.
  ///
  /// - Throws: what quantizing and running throw.
  func groupErrors(
    of request: QuantizationRequest, for sample: CalibrationPicture, _ rotations: [String: Int],
    beside url: URL,
    threads: Int, progress: (String) -> Void
  ) async throws -> (groups: [Calibration.Group], whole: Double?) {
    let items = try packingList()
    let file = URL(fileURLWithPath: "\(url.path).\(ProcessInfo.processInfo.processIdentifier).calibration")
    defer { try? FileManager.default.removeItem(at: file) }
    let reference = try await reconstruction(of: sample, threads: threads).run().working
    func error(_ only: String?) async throws -> Double? {
      var quantizer = Quantizer(precision: .int8, scales: request.scales, rules: request.rules)
      (quantizer.rotations, quantizer.only) = (rotations, only)
      _ = try quantizer.write(
        items, texts: texts(nativeSize: nil), provenance: { "{}" }, to: file.path,
        ThreadPool(threads: threads)
      ) { _ in }
      let quantized = try Model(at: file)
      try? FileManager.default.removeItem(at: file)  // open, it stays readable; a run that is killed leaves none
      try quantized.assumeVerified()
      let result = try await quantized.reconstruction(of: sample, threads: threads).run().working
      return result.decibels(against: reference).map { (100 * $0).rounded() / 100 }
    }
    var groups: [Calibration.Group] = []
    for name in Self.groups(of: items.map(\.name)) {
      progress(name)
      groups.append(Calibration.Group(name: name, decibels: try await error(name + ".")))
    }
    progress("all")
    return (groups, try await error(nil))
  }

  /// `text_encoder`, `unet.down_blocks.0`, …, `vae.decoder`, in the order of the names; single layers are no group.
  private static func groups(of names: [String]) -> [String] {
    var groups: [String] = []
    for name in names {
      let parts = name.split(separator: ".")
      let depth =
        switch (parts[0], parts[1]) {
        case ("unet", "down_blocks"), ("unet", "up_blocks"): 3
        case ("unet", "mid_block"), ("vae", "encoder"), ("vae", "decoder"): 2
        case ("text_encoder", _), ("text_encoder_2", _): 1
        default: 0
        }
      let group = parts.prefix(depth).joined(separator: ".")
      if depth > 0, !groups.contains(group) { groups.append(group) }
    }
    return groups
  }

  /// Steps of an inversion that is run for its error alone.
  private static let steps = 10

  /// The edit that looks at what a model has lost: a DDIM inversion, and the way back with the same prompt.
  private func reconstruction(of sample: CalibrationPicture, threads: Int) throws -> EditJob {
    var request = EditRequest(.ddimInversion(steps: Self.steps, guidance: 1))
    (request.picture, request.size) = (sample.picture, sample.size)
    (request.sourcePrompt, request.prompt) = (sample.prompt, sample.prompt)
    return try Editor(model: self, threads: threads).prepare(request)
  }
}
