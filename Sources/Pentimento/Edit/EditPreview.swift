import Editing
import Files
import ImageFiles
import Pictures
import Runtime
import Synchronization
import Tensors

/// Shows an edit on its way.
///
/// A method tells the latent that it has come to after every step. That is a noisy one while it samples, so it waits for the
/// network's next answer about this very latent, and what is shown is the clean latent that the answer implies,
///
///     x̂_0 = (x_t − s_t·ε)/a_t                            (Ho et al. 2020, eq. 4, solved for x_0)
///
/// A method that asks about other latents, as score distillation does, moves the picture's own: it is shown as it is.
final class EditPreview: Sendable {
  private let wanted: RunWatch.Preview
  private let schedule: NoiseSchedule
  private let pixelsPerLatent: Int
  private let extent: Extent
  private let colors: LatentColors
  private let state = Mutex<(reached: Latent?, step: Int)>((nil, 0))

  init(_ wanted: RunWatch.Preview, _ colors: LatentColors, of job: EditJob) {
    (self.wanted, self.colors) = (wanted, colors)
    schedule = job.editor.model.schedule
    (pixelsPerLatent, extent) = (job.pictures.geometry.pixelsPerLatent, job.pictures.geometry.content)
  }

  /// The method has come to a latent.
  func reached(_ latent: Latent) {
    // What nothing was asked about was clean.
    end()
    state.withLock { state in
      state.step += 1
      if state.step % wanted.every == 0 { state.reached = latent }
    }
  }

  /// Nothing more is asked.
  func end() {
    let (latent, step) = taken()
    if let latent { show(latent, step) }
  }

  /// The network has answered.
  func answered(_ queries: [NoiseQuery], _ predictions: [NoisePrediction]) {
    let (latent, step) = taken()
    guard let latent else { return }
    // Behind the empty prompt's comes that of the prompt.
    guard let i = queries.lastIndex(where: { $0.latent == latent }) else { return show(latent, step) }
    let alphaBar = queries[i].levelAlphaBar ?? schedule.alphaBar(queries[i].timestep)
    let (signal, noise) = (alphaBar.squareRoot(), (1 - alphaBar).squareRoot())
    show(.combination([(1 / signal, latent), (-noise / signal, predictions[i].noise)]), step)
  }

  private func taken() -> (Latent?, Int) {
    state.withLock { state in
      defer { state.reached = nil }
      return (state.reached, state.step)
    }
  }

  private func show(_ latent: Latent, _ step: Int) {
    guard latent.isFinite else { return }
    let picture = LatentPreview(
      colors.colors(of: latent), height: latent.height, width: latent.width, pixelsPerLatent: pixelsPerLatent,
      extent: extent)
    wanted.show(picture, step)
  }

  /// What previews take beside the edit: the latent that waits and the clean one, their colours, a file on its way; bytes.
  static func bytes(_ size: LatentSize, _ extent: Extent, channels: Int) -> Int {
    let encoders = [PictureEncoding.png, .jpeg(quality: PictureEncoding.usualQuality)]
    return size.height * size.width * (3 * channels + 3) * MemoryLayout<Float>.size + 3 * extent.width
      + encoders.map { PictureEncoder.bytes($0, extent, format: .plain) }.max()! + PartialFile.writingBytes
  }
}

/// Answers as another predictor does, and tells what it was asked.
struct WatchedPredictor: NoisePredictor {
  let base: any NoisePredictor
  let preview: EditPreview

  func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
    let predictions = try await base.predict(queries)
    preview.answered(queries, predictions)
    return predictions
  }
}

extension EditJob {
  /// What shows the edit on its way, where somebody looks.
  ///
  /// - Parameter source: the picture's latent; nil without a picture.
  func preview(_ source: Latent?, _ picture: Picture?, on thread: NetworkThread) async throws -> EditPreview?
  {
    guard let wanted = RunWatch.current?.preview, stages.noise != nil else { return nil }
    if let source, let picture {
      return EditPreview(wanted, LatentColors(fitting: source, to: picture), of: self)
    }
    return EditPreview(wanted, try await colorsOfDecoder(on: thread), of: self)
  }

  /// From a small picture that the decoder makes of patches of noise, where there is none to learn from. The decoder has
  /// the memory that it will have at the end.
  private func colorsOfDecoder(on thread: NetworkThread) async throws -> LatentColors {
    let (model, size) = (editor.model, workingSize)
    func side(_ whole: Int) -> Int {
      min(whole, (128 + model.sizeMultiple - 1) / model.sizeMultiple * model.sizeMultiple)
    }
    let small = Extent(width: side(size.width), height: side(size.height))
    let planned = Stages(model: model, threads: editor.threads, budget: stages.decoder.plan.peakBytes)
    let decoder =
      small == size ? stages.decoder : try planned.decoder(width: small.width, height: small.height)
    let (height, width) = (small.height / model.pixelsPerLatent, small.width / model.pixelsPerLatent)
    var latent = Latent(height: height, width: width)
    let noise = try SeededTape(seed: 0).normal(0, like: latent)
    let channels = latent.channels
    for y in 0..<height {
      for x in 0..<width {
        let patch = (y / 2 * 2 * width + x / 2 * 2) * channels
        for c in 0..<channels { latent.values[(y * width + x) * channels + c] = noise.values[patch + c] }
      }
    }
    let codec = PictureCodec(
      model: model, pool: editor.pool, encoder: { _, _ in preconditionFailure("nothing is encoded") },
      decoder: { _, _ in decoder }, thread: thread)
    return LatentColors(fitting: latent, to: Picture(signal: try await codec.decode(latent)))
  }
}
