import Editing
import Kernels
import Runtime
import StableDiffusion
import Tensors

/// The model's autoencoder. Each direction takes its memory for the length of one call and throws
/// `ModelError.notFinite` where damaged weights leave no picture or latent.
package struct PictureCodec: LatentCodec {
  let stages: Stages
  let pool: ThreadPool

  package func encode(_ signal: HostTensor) async throws -> (mean: Latent, logVariance: Latent) {
    let stage = try stages.encoder(width: signal.shape[1], height: signal.shape[0])
    let executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: pool)
    let moments = try executor.run([["image": signal]])[0]["moments"]!
    guard moments.isFinite else { throw ModelError.notFinite(part: stage.weights.label) }
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
    let stage = try stages.decoder(width: latent.width * 8, height: latent.height * 8)
    let executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: pool)
    let unscaled = (1 / Double(scale)) * latent
    let signal = try executor.run([["latent": unscaled.tensor]])[0]["image"]!
    guard signal.isFinite else { throw ModelError.notFinite(part: stage.weights.label) }
    return signal
  }

  private var scale: Float { stages.model.autoencoder.scalingFactor }
}
