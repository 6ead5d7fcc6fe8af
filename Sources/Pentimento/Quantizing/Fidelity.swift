import Editing
import Pictures
import Platform
import Runtime
import StableDiffusion
import Tensors

/// How close a quantized model computes to the one that it was made from: the signal-to-noise ratio of every
/// network on the same inputs, and of whole edits.
public struct Fidelity: Sendable, Codable {
  /// One network at one input, or one edit.
  public struct Row: Sendable, Codable {
    public var part: String
    /// 10·log₁₀(Σ y² / Σ (y − ŷ)²) of the reference's y; for edits of pictures their peak signal-to-noise ratio.
    /// Nil where nothing differs.
    public var decibels: Double?
  }

  public private(set) var rows: [Row] = []

  /// Noise levels at which the noise network is compared.
  public static let timesteps = [1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 981]
  /// Inversions and edits that are run on both models: with the source prompt again, an inversion reconstructs.
  static let edits: [EditMethod] = [.ddimInversion(), .ddpmInversion()]

  /// - Parameters:
  ///   - picture: of any size, in a file or in memory.
  ///   - prompts: what the picture shows, and what an edit should make of it.
  ///   - size: at which size the networks work on it; nil: the reference's native area.
  /// - Throws: whatever running the models throws; `ModelError.differentNetworks`.
  public init(
    of model: Model, against reference: Model, picture: any PictureSource,
    prompts: (source: String, target: String), size: WorkingSize.Request? = nil, withEdits: Bool = true,
    threads: Int, progress: (String) -> Void = { _ in }
  ) async throws {
    guard model.hasNetworks(of: reference) else {
      throw ModelError.differentNetworks(model.files.path, reference.files.path)
    }
    for model in [model, reference] { try model.verify() }
    let editors = try [model, reference].map { try Editor(model: $0, threads: threads) }
    func jobs(_ method: EditMethod, _ target: String) throws -> [EditJob] {
      var request = EditRequest(method)
      (request.picture, request.size) = (picture, size)
      (request.sourcePrompt, request.prompt) = (prompts.source, target)
      let theirs = try editors[1].prepare(request)
      // Both work at one size, whatever each was trained at.
      request.size = .box(theirs.pictures.geometry.content)
      return [try editors[0].prepare(request), theirs]
    }
    try await compareNetworks(
      jobs(Self.edits[0], prompts.target), [prompts.source, prompts.target], progress)
    for method in withEdits ? Self.edits : [] {
      for (goal, target) in [("reconstruction", prompts.source), ("edit", prompts.target)] {
        progress("\(method.name), \(goal)")
        let pair = try jobs(method, target)
        let (a, b) = (try await pair[0].run().working, try await pair[1].run().working)
        add("\(method.name), \(goal)", a.decibels(against: b))
      }
    }
  }

  /// Every network of two jobs on the same inputs, one network after the other.
  ///
  /// - Parameter jobs: ours, and the one that it is held against.
  private mutating func compareNetworks(
    _ jobs: [EditJob], _ texts: [String], _ progress: (String) -> Void
  ) async throws {
    let thread = try NetworkThread()
    guard let picture = try await thread.run({ try jobs[1].pictures.read().picture }) else { return }
    progress("text")
    for index in jobs[1].stages.text.indices {
      var states: [[Float]] = []
      for job in jobs {
        states.append(
          try await thread.run {
            try job.promptEncoder.states(of: texts, encoder: index).flatMap(\.penultimate.values)
          })
      }
      add("text encoder\(index == 0 ? "" : " 2")", signalToNoise(states[0], states[1]))
    }

    progress("autoencoder")
    let codecs = jobs.map { $0.codec(on: thread) }
    let latent = try await codecs[1].encode(picture.signal).mean
    add(
      "autoencoder, encode",
      signalToNoise(try await codecs[0].encode(picture.signal).mean.values, latent.values))
    add(
      "autoencoder, decode",
      signalToNoise(try await codecs[0].decode(latent).values, try await codecs[1].decode(latent).values))

    let (wanted, schedule) = (jobs[1], jobs[1].editor.model.schedule)
    let encoded = try await thread.run {
      try wanted.promptEncoder.encode(
        texts, negativePrompt: nil, width: picture.width, height: picture.height)
    }
    let tape = SeededTape(seed: 1)
    let queries = Self.timesteps.enumerated().map { i, timestep in
      let noise = tape.normal(
        i, count: 1, height: latent.height, width: latent.width, channels: latent.channels)[0]
      return NoiseQuery(
        schedule.diffuse(latent, to: timestep, noise), timestep: timestep, encoded.prompts[0])
    }
    // The reference first; its memory is given back before the other network takes its own.
    var outputs: [[Float]] = []
    for job in jobs.reversed() {
      let network = try await job.noiseNetwork(on: thread)
      for (i, query) in queries.enumerated() {
        progress("denoise at \(query.timestep)")
        let values = try await network.values(query)["out"]!.values
        if outputs.count < queries.count {
          outputs.append(values)
        } else {
          add("denoise, t = \(query.timestep)", signalToNoise(values, outputs[i]))
        }
      }
    }
  }

  private mutating func add(_ part: String, _ decibels: Double?) {
    rows.append(Row(part: part, decibels: decibels.map { (100 * $0).rounded() / 100 }))
  }
}

extension Model {
  /// Whether text encoders and noise network are those of another model, but for the weights.
  fileprivate func hasNetworks(of other: Model) -> Bool {
    var network = unet.configuration
    network.sampleSize = other.unet.configuration.sampleSize  // --native-size may have changed it
    return network == other.unet.configuration
      && textEncoders.map(\.encoder.configuration) == other.textEncoders.map(\.encoder.configuration)
  }
}

/// 10·log₁₀(Σ y² / Σ (y − ŷ)²); nil where nothing differs.
private func signalToNoise(_ values: [Float], _ reference: [Float]) -> Double? {
  var (signal, noise) = (0.0, 0.0)
  for (a, b) in zip(values, reference) {
    signal += Double(b) * Double(b)
    noise += (Double(a) - Double(b)) * (Double(a) - Double(b))
  }
  return noise == 0 ? nil : 10 * log10(signal / noise)
}
