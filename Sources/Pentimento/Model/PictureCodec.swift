import Editing
import Kernels
import Pictures
import Runtime
import StableDiffusion
import Tensors

/// The model's autoencoder. Each direction takes its memory for the length of one call and throws
/// `ModelError.notFinite` where damaged weights leave no picture or latent.
package struct PictureCodec: LatentCodec {
  /// The network for a size in pixels, planned.
  typealias Planned = @Sendable (_ width: Int, _ height: Int) throws -> Stage

  let model: Model
  let pool: ThreadPool
  let encoder: Planned
  let decoder: Planned
  /// Where the networks compute; nil for the caller's thread.
  var thread: NetworkThread?

  package func encode(_ signal: HostTensor) async throws -> (mean: Latent, logVariance: Latent) {
    moments(
      try await run(
        encoder(signal.shape[1], signal.shape[0]), 1, output: "moments", input: { _ in ["image": signal] }
      )[0].get())
  }

  package func decode(_ latent: Latent) async throws -> HostTensor {
    let pixels = model.pixelsPerLatent
    return try await run(
      decoder(latent.width * pixels, latent.height * pixels), 1, output: "image",
      input: { _ in ["latent": unscaled(latent)] })[0].get()
  }

  /// Pictures of one size, by a network that is opened once. One that fails leaves the others.
  func encode(_ pictures: [Picture]) async throws -> [Result<Posterior, any Error>] {
    guard let size = pictures.first.map(Extent.init) else { return [] }
    return try await run(
      encoder(size.width, size.height), pictures.count, output: "moments",
      input: { ["image": pictures[$0].signal] }
    ).map { result in
      result.map {
        let (mean, logVariance) = moments($0)
        return Posterior(mean: mean, logVariance: logVariance, scale: Double(scale))
      }
    }
  }

  /// Pictures of latents of one size, by a network that is opened once. One that fails leaves the others.
  func decode(_ latents: [Latent]) async throws -> [Result<Picture, any Error>] {
    guard let first = latents.first else { return [] }
    let pixels = model.pixelsPerLatent
    return try await run(
      decoder(first.width * pixels, first.height * pixels), latents.count, output: "image",
      input: { ["latent": unscaled(latents[$0])] }
    ) { Picture(signal: $0) }
  }

  private func moments(_ moments: HostTensor) -> (mean: Latent, logVariance: Latent) {
    let channels = AutoencoderConfiguration.latentChannels
    let (height, width) = (moments.shape[0], moments.shape[1])
    var mean = Latent(height: height, width: width)
    var logVariance = mean
    let hasVariance = moments.shape[2] == 2 * channels
    let limits: ClosedRange<Float> = -30...20
    for p in 0..<height * width {
      for c in 0..<channels {
        let pixel = p * moments.shape[2]
        mean.values[p * channels + c] = moments.values[pixel + c]
        logVariance.values[p * channels + c] =
          hasVariance
          ? min(max(moments.values[pixel + channels + c], limits.lowerBound), limits.upperBound)
          : limits.lowerBound
      }
    }
    return (Double(scale) * mean, logVariance)
  }

  private func unscaled(_ latent: Latent) -> HostTensor { ((1 / Double(scale)) * latent).tensor }

  private func run(
    _ stage: Stage, _ count: Int, output name: String,
    input: @escaping @Sendable (Int) -> [String: HostTensor]
  ) async throws -> [Result<HostTensor, any Error>] {
    try await run(stage, count, output: name, input: input) { $0 }
  }

  /// Runs a network so many times; what is made of an output is all that is kept of it.
  private func run<Made: Sendable>(
    _ stage: Stage, _ count: Int, output name: String,
    input: @escaping @Sendable (Int) -> [String: HostTensor],
    making make: @escaping @Sendable (HostTensor) -> Made
  ) async throws -> [Result<Made, any Error>] {
    let compute = { @Sendable () throws -> [Result<Made, any Error>] in
      let executor = try NetworkShelf.executor(of: stage, pool)
      // One that stays open keeps its memory.
      let isLast = count == 1 && NetworkShelf.current == nil
      defer {
        StreamLog.current?.add(stage.name, executor.traffic)
        NetworkShelf.keep(executor, of: stage)
      }
      return try (0..<count).map { i in
        let output =
          isLast
          ? try executor.runLast(input(i))[name]!
          : try executor.run([input(i)], goesOn: i + 1 < count)[0][name]!
        guard output.isFinite else { return .failure(ModelError.notFinite(part: stage.weights.label)) }
        return .success(make(output))
      }
    }
    return if let thread { try await thread.run(compute) } else { try compute() }
  }

  private var scale: Float { model.autoencoder.scalingFactor }
}
