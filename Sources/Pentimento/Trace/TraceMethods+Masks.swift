import Editing

extension TraceCase {
  /// Edits of a part of the picture.
  static let maskKinds: [String: MethodRun] = [
    "diffedit_mask": { trace, bench in
      var method = DiffEditMask()
      method.steps = try trace.whole("steps")
      method.strength = try trace.number("strength")
      method.maps = try trace.whole("maps")
      method.guidance = try trace.number("w")
      method.ratio = try trace.number("ratio")
      _ = try await method(
        trace.latent("x0"), from: bench.prompt("source"), to: bench.prompt("target"), model: bench.model(),
        tape: bench.tape, observer: bench.observer)
    },
    "diffedit_ode": { trace, bench in
      var method = try trace.diffEdit(.ode)
      method.inversionGuidance = try trace.number("w_inv")
      method.usesSourceAsNegative = try trace.flag("source_as_negative")
      method.blendsReferenceLevel = try trace.flag("reference_blend")
      try await trace.run(method, bench)
    },
    "diffedit_sde": { trace, bench in try await trace.run(trace.diffEdit(.sde), bench) },
    "inpaint": { trace, bench in
      var method = Inpainting()
      method.steps = try trace.whole("steps")
      method.guidance = try trace.number("w")
      method.strength = try trace.number("strength")
      method.sampler = try trace.sampler()
      method.order = try trace.whole("order")
      _ = try await method.edit(
        trace.latent("x0"), to: bench.prompt("target"), mask: trace.mask("mask"), model: bench.model(),
        tape: bench.tape, observer: bench.observer)
    },
    "drag": { trace, bench in
      var method = Drag()
      method.moves = try zip(trace.points("source_px"), trace.points("target_px")).map(
        Drag.Move.init(from:to:))
      method.steps = try trace.whole("steps")
      method.strength = try trace.number("t0")
      method.stepSize = try trace.number("step_size")
      method.radius = try trace.whole("r")
      method.copyScale = try trace.number("alpha")
      method.sourceScale = try trace.number("beta")
      method.maxGuidance = try trace.number("w_max")
      method.sampler = try trace.sampler()
      if try trace.flag("lora") { method.minAdapterScale = try trace.number("lora_min") }
      _ = try await method.edit(
        trace.latent("x0"), showing: bench.prompt("prompt"), mask: trace.mask("mask"), model: bench.model(),
        tape: bench.tape, observer: bench.observer)
    },
  ]

  private func diffEdit(_ sampler: Sampler) throws -> DiffEdit {
    var method = DiffEdit()
    method.steps = try whole("steps")
    method.strength = try number("t0")
    method.guidance = try number("w")
    method.sampler = sampler
    return method
  }

  private func run(_ method: DiffEdit, _ bench: Bench) async throws {
    _ = try await method.edit(
      latent("x0"), from: bench.prompt("source"), to: bench.prompt("target"), mask: mask("mask"),
      model: bench.model(), tape: bench.tape, observer: bench.observer)
  }

  /// Points `[x, y]` in pixels.
  private func points(_ key: String) throws -> [Drag.Point] {
    try params[key].elements().map { point in
      let numbers = try point.integers()
      guard numbers.count == 2 else { throw point.wrong("[x, y]") }
      return Drag.Point(x: numbers[0], y: numbers[1])
    }
  }
}
