import Editing

extension TraceCase {
  /// Descent of a latent along the difference of predictions.
  static let distillationKinds: [String: MethodRun] = [
    "dds": { trace, bench in
      let method = try trace.descent(DeltaDenoisingScore())
      _ = try await method.edit(
        trace.latent("x0"), from: bench.prompt("source"), to: bench.prompt("target"),
        mask: trace.flag("mask") ? trace.mask("mask") : nil, model: bench.model(), tape: bench.tape,
        observer: bench.observer)
    },
    "sds": { trace, bench in
      let method = try trace.descent(ScoreDistillationSampling())
      _ = try await method.edit(
        trace.latent("x0"), to: bench.prompt("target"), mask: trace.flag("mask") ? trace.mask("mask") : nil,
        model: bench.model(), tape: bench.tape, observer: bench.observer)
    },
  ]

  private func descent<Method: ScoreDescent>(_ method: Method) throws -> Method {
    var method = method
    method.iterations = try whole("iters")
    method.guidance = try number("w")
    method.learningRate = try number("lr")
    method.lossScale = try number("loss_scale")
    method.timesteps = try whole("t_min")...whole("t_max")
    return method
  }
}
