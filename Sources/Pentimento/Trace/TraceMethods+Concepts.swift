import Editing
import WeightStorage

extension TraceCase {
  /// Edit-friendly inversion, and methods that concepts steer.
  static let conceptKinds: [String: MethodRun] = [
    // Without concepts this is the plain edit along the inversion.
    "ledits": { trace, bench in
      var inversion = DDPMInversion()
      inversion.steps = try trace.whole("steps")
      inversion.skip = try trace.whole("skip")
      inversion.sourceGuidance = try trace.number("w_src")
      inversion.targetGuidance = try trace.number("w_tgt")
      inversion.eta = try trace.number("eta")
      inversion.keepsLastNoise = try trace.flag("keep_last_noise")
      let source = try trace.promptUnlessEmpty("source", bench)
      if bench.concepts.isEmpty {
        _ = try await inversion.edit(
          trace.latent("x0"), from: source, to: bench.prompt("target"), model: bench.model(),
          tape: bench.tape, observer: bench.observer)
      } else {
        var method = LEDITS()
        method.inversion = inversion
        method.semantics = try trace.semantics()
        _ = try await method.edit(
          trace.latent("x0"), from: source, to: trace.promptUnlessEmpty("target", bench),
          concepts: bench.concepts, model: bench.model(), tape: bench.tape, observer: bench.observer)
      }
    },
    "sega": { trace, bench in
      var method = SEGA()
      method.steps = try trace.whole("steps")
      method.guidance = try trace.number("w")
      method.semantics = try trace.semantics()
      _ = try await method.generate(
        bench.prompt("target"), concepts: bench.concepts, height: trace.imageSize.height / 8,
        width: trace.imageSize.width / 8, model: bench.model(), tape: bench.tape, observer: bench.observer)
    },
    "leditspp": { trace, bench in
      var method = LEDITSPlusPlus()
      method.steps = try trace.whole("n")
      method.skip = try trace.number("skip")
      method.sourceGuidance = try trace.number("w_src")
      guard let mode = LEDITSPlusPlus.MaskMode(rawValue: try trace.params["mode"].string()) else {
        throw trace.params["mode"].wrong("intersect, attention or noise")
      }
      method.mode = mode
      method.concepts = try trace.concepts()
      _ = try await method.edit(
        trace.latent("x0"), from: trace.promptUnlessEmpty("source", bench), concepts: bench.concepts,
        model: bench.model(attentionMaps: mode != .noise), tape: bench.tape, observer: bench.observer)
    },
  ]

  /// Concepts as the case describes them; none where it has no such list.
  var conceptSettings: [ConfigValue] {
    get throws { params["concepts"].isPresent ? try params["concepts"].elements() : [] }
  }

  private func concepts() throws -> [Concept] {
    try conceptSettings.map { settings in
      guard let direction = Concept.Direction(rawValue: try settings["direction"].integer()) else {
        throw settings["direction"].wrong("1 or -1")
      }
      return Concept(
        scale: try settings["scale"].real(), direction: direction, warmup: try settings["warmup"].integer(),
        threshold: try settings["threshold"].real())
    }
  }

  private func semantics() throws -> SemanticGuidance {
    SemanticGuidance(
      concepts: try concepts(), momentumScale: try number("s_m"), momentumBeta: try number("beta_m"))
  }
}
