import Editing

extension TraceCase {
  /// From noise or a noised photo to a prompt: text-to-image and the SDE/ODE family without masks.
  static let samplingKinds: [String: MethodRun] = [
    "generate": { trace, bench in
      var method = TextToImage()
      method.steps = try trace.whole("steps")
      method.guidance = try trace.number("w")
      method.sampler = try trace.sampler()
      _ = try await method.generate(
        bench.prompt("target"), height: trace.imageSize.height / 8, width: trace.imageSize.width / 8,
        model: bench.model(), tape: bench.tape, observer: bench.observer)
    },
    "sdedit": { trace, bench in
      var method = SDEdit()
      method.steps = try trace.whole("steps")
      method.strength = try trace.number("t0")
      method.guidance = try trace.number("w")
      method.sampler = try trace.sampler()
      _ = try await method.edit(
        trace.latent("x0"), to: bench.prompt("target"), model: bench.model(), tape: bench.tape,
        observer: bench.observer)
    },
    "ddim_translate": { trace, bench in
      var method = DDIMTranslation()
      method.steps = try trace.whole("steps")
      method.strength = try trace.number("t0")
      method.sourceGuidance = try trace.number("w_src")
      method.targetGuidance = try trace.number("w_tgt")
      _ = try await method.edit(
        trace.latent("x0"), from: bench.prompt("source"), to: bench.prompt("target"), model: bench.model(),
        observer: bench.observer)
    },
    "cycle_diffusion": { trace, bench in
      var method = CycleDiffusion()
      method.steps = try trace.whole("steps")
      method.strength = try trace.number("strength")
      method.sourceGuidance = try trace.number("w_src")
      method.targetGuidance = try trace.number("w_tgt")
      method.eta = try trace.number("eta")
      _ = try await method.edit(
        trace.latent("x0"), from: bench.prompt("source"), to: bench.prompt("target"), model: bench.model(),
        tape: bench.tape, observer: bench.observer)
    },
    "cycle_sde": { trace, bench in
      var method = CycleSDE()
      method.steps = try trace.whole("steps")
      method.strength = try trace.number("t0")
      method.sourceGuidance = try trace.number("w_src")
      method.targetGuidance = try trace.number("w_tgt")
      _ = try await method.edit(
        trace.latent("x0"), from: bench.prompt("source"), to: bench.prompt("target"), model: bench.model(),
        tape: bench.tape, observer: bench.observer)
    },
  ]
}
