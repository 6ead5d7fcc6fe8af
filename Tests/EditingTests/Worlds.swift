import Editing
import Tensors
import TestSupport

/// The deterministic nonlinear world in which bit-exact claims are made, with its derivative.
func nonlinearWorld(
  schedule: NoiseSchedule = .stableDiffusion, attention: Bool = false
) -> (Diffusion, counter: CountingPredictor<DifferentiablePredictor>) {
  var predictor = DifferentiablePredictor(schedule: schedule)
  predictor.base.hasAttention = attention
  let counter = CountingPredictor(predictor)
  return (Diffusion(unet: counter, schedule: schedule, empty: Condition(text: "")), counter)
}

/// The world whose pictures are N(μ, v), with μ in the condition; the empty prompt's pictures have mean 0.
func gaussianWorld(
  variance: Double, like latent: Latent, schedule: NoiseSchedule = .stableDiffusion
) -> Diffusion {
  Diffusion(
    unet: GaussianDenoiser(variance: variance, schedule: schedule), schedule: schedule,
    empty: Condition(mean: Latent(like: latent, values: latent.values.map { _ in 0 })))
}

extension DDPMInversion {
  /// `skip`, counted in levels of `steps`.
  var skippedSteps: Int {
    get { Int((skip * Double(steps)).rounded()) }
    set { skip = Double(newValue) / Double(steps) }
  }
}

let cat = Condition(text: "a cat")
let tiger = Condition(text: "a tiger")

/// A rectangle of ones inside zeros.
func boxMask(height: Int = 7, width: Int = 11) -> Mask {
  var mask = Mask(height: height, width: width, repeating: 0)
  for y in 2..<height - 1 {
    for x in 3..<width - 2 { mask[y, x] = 1 }
  }
  return mask
}
