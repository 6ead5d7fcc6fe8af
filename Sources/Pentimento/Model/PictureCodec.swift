import Editing
import Kernels
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
    let moments = try await run(
      encoder(signal.shape[1], signal.shape[0]), ["image": signal], output: "moments")
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

  package func decode(_ latent: Latent) async throws -> HostTensor {
    let unscaled = (1 / Double(scale)) * latent
    let pixels = model.pixelsPerLatent
    return try await run(
      decoder(latent.width * pixels, latent.height * pixels), ["latent": unscaled.tensor], output: "image")
  }

  private func run(
    _ stage: Stage, _ inputs: [String: HostTensor], output name: String
  ) async throws -> HostTensor {
    let compute = { @Sendable () throws -> HostTensor in
      let executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: pool)
      executor.missing = MemoryPressure.current?.missing
      let output = try executor.runLast(inputs)[name]!
      StreamLog.current?.add(stage.name, executor.traffic)
      guard output.isFinite else { throw ModelError.notFinite(part: stage.weights.label) }
      return output
    }
    return if let thread { try await thread.run(compute) } else { try compute() }
  }

  private var scale: Float { model.autoencoder.scalingFactor }
}
