import Editing
import Platform
import StableDiffusion
import Tensors

/// How close a quantized model computes to the one that it was made from: the signal-to-noise ratio of every
/// network on the same inputs, and of whole edits.
public struct Fidelity: Sendable, Codable {
  /// One network at one input, or one edit.
  public struct Row: Sendable, Codable {
    public var part: String
    /// 10·log₁₀(Σ y² / Σ (y − ŷ)²) of the reference's y; for edits of pictures 10·log₁₀(255² / mean (p − p̂)²).
    /// Nil where nothing differs.
    public var decibels: Double?
  }

  public private(set) var rows: [Row] = []

  /// Noise levels at which the noise network is compared.
  public static let timesteps = [1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 981]
  /// Inversions and edits that are run on both models: with the source prompt again, an inversion reconstructs.
  static let edits = ["ddim-inversion", "ddpm-inversion"]

  /// - Parameters:
  ///   - picture: at a working size of both models.
  ///   - prompts: what the picture shows, and what an edit should make of it.
  /// - Throws: whatever running the models throws; `ModelError.differentNetworks`.
  public init(
    of model: Model, against reference: Model, picture: Picture, prompts: (source: String, target: String),
    withEdits: Bool = true, threads: Int, progress: (String) -> Void = { _ in }
  ) async throws {
    guard model.hasNetworks(of: reference) else {
      throw ModelError.differentNetworks(model.files.path, reference.files.path)
    }
    let (ours, theirs) = (Editor(model: model, threads: threads), Editor(model: reference, threads: threads))
    progress("text")
    let texts = [prompts.source, prompts.target]
    for index in reference.textEncoders.indices {
      let a = try ours.textStates(texts, encoder: index).flatMap(\.penultimate.values)
      let b = try theirs.textStates(texts, encoder: index).flatMap(\.penultimate.values)
      add("text encoder\(index == 0 ? "" : " 2")", signalToNoise(a, b))
    }

    progress("autoencoder")
    let latent = try await theirs.codec.encode(picture.signal).mean
    add(
      "autoencoder, encode",
      signalToNoise(try await ours.codec.encode(picture.signal).mean.values, latent.values))
    add(
      "autoencoder, decode",
      signalToNoise(try await ours.codec.decode(latent).values, try await theirs.codec.decode(latent).values))

    let encoded = try theirs.encode(
      texts, negativePrompt: nil, width: picture.width, height: picture.height)
    let networks = try [ours, theirs].map {
      try $0.noiseNetwork(width: picture.width, height: picture.height)
    }
    let tape = SeededTape(seed: 1)
    for (i, timestep) in Self.timesteps.enumerated() {
      progress("denoise at \(timestep)")
      let noise = tape.normal(
        i, count: 1, height: latent.height, width: latent.width, channels: latent.channels)[0]
      let noisy = reference.schedule.diffuse(latent, to: timestep, noise)
      let query = NoiseQuery(noisy, timestep: timestep, encoded.prompts[0])
      let outputs = [try await networks[0].values(query), try await networks[1].values(query)]
      add("denoise, t = \(timestep)", signalToNoise(outputs[0]["out"]!.values, outputs[1]["out"]!.values))
    }

    for method in withEdits ? Self.edits : [] {
      for (goal, target) in [("reconstruction", prompts.source), ("edit", prompts.target)] {
        progress("\(method), \(goal)")
        var request = EditRequest(method: method, width: picture.width, height: picture.height)
        request.picture = picture
        (request.sourcePrompt, request.prompt) = (prompts.source, target)
        let (a, b) = (try await ours.run(request).picture, try await theirs.run(request).picture)
        add("\(method), \(goal)", a.peakSignalToNoise(against: b))
      }
    }
  }

  private mutating func add(_ part: String, _ decibels: Double) {
    rows.append(Row(part: part, decibels: decibels == .infinity ? nil : (100 * decibels).rounded() / 100))
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

private func signalToNoise(_ values: [Float], _ reference: [Float]) -> Double {
  var (signal, noise) = (0.0, 0.0)
  for (a, b) in zip(values, reference) {
    signal += Double(b) * Double(b)
    noise += (Double(a) - Double(b)) * (Double(a) - Double(b))
  }
  return noise == 0 ? .infinity : 10 * log10(signal / noise)
}

extension Picture {
  /// 10·log₁₀(255² / mean (p − p̂)²); infinite for equal pictures.
  func peakSignalToNoise(against other: Picture) -> Double {
    let noise = zip(pixels, other.pixels).reduce(0.0) { sum, pair in
      let difference = Double(pair.0) - Double(pair.1)
      return sum + difference * difference
    }
    return noise == 0 ? .infinity : 10 * log10(255 * 255 * Double(pixels.count) / noise)
  }
}
