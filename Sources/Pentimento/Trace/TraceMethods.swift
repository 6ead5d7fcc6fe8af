import Editing
import Tensors
import WeightStorage

extension TraceCase {
  /// Cases of editing methods, by kind.
  static let methodKinds: [String: Run] = [
    "generate": { trace, model, threads, results in
      var method = TextToImage()
      method.steps = try trace.params["steps"].integer()
      method.guidance = try trace.params["w"].real()
      method.sampler = try trace.sampler()
      try await trace.edit(model, threads, results) { [method] bench in
        _ = try await method.generate(
          bench.condition(of: "target"), height: trace.imageSize.height / 8, width: trace.imageSize.width / 8,
          model: bench.model, tape: bench.tape, observer: results.observer)
      }
    },
    "sdedit": { trace, model, threads, results in
      var method = SDEdit()
      method.steps = try trace.params["steps"].integer()
      method.strength = try trace.params["t0"].real()
      method.guidance = try trace.params["w"].real()
      method.sampler = try trace.sampler()
      try await trace.edit(model, threads, results) { [method] bench in
        _ = try await method.edit(
          trace.latent("x0"), to: bench.condition(of: "target"), model: bench.model, tape: bench.tape,
          observer: results.observer)
      }
    },
    "ledits": { trace, model, threads, results in
      guard try trace.params["concepts"].elements().isEmpty else {
        throw TraceError.notYet(kind: "ledits", what: "concepts")
      }
      var method = DDPMInversion()
      method.steps = try trace.params["steps"].integer()
      method.skip = try trace.params["skip"].integer()
      method.sourceGuidance = try trace.params["w_src"].real()
      method.targetGuidance = try trace.params["w_tgt"].real()
      method.eta = try trace.params["eta"].real()
      method.keepsLastNoise = try trace.flag("keep_last_noise")
      let source = try trace.prompts["source"].string()
      try await trace.edit(model, threads, results) { [method] bench in
        _ = try await method.edit(
          trace.latent("x0"), from: source.isEmpty ? nil : bench.condition(of: "source"),
          to: bench.condition(of: "target"), model: bench.model, tape: bench.tape, observer: results.observer)
      }
    },
  ]

  /// What a traced method runs on.
  struct Bench: Sendable {
    let model: Diffusion<NoiseNetwork>
    let tape: RecordedTape
    private let conditions: [String: Condition]

    init(model: Diffusion<NoiseNetwork>, tape: RecordedTape, conditions: [String: Condition]) {
      self.model = model
      self.tape = tape
      self.conditions = conditions
    }

    /// The condition of a prompt of the case, by its key (`source`, `target`).
    func condition(of key: String) -> Condition { conditions[key]! }
  }

  /// Encodes the prompts, opens the noise network and runs `body`; every draw of the tape has to be used.
  func edit(
    _ model: Model, _ threads: Int, _ results: TraceResults, _ body: @Sendable (Bench) async throws -> Void
  ) async throws {
    let editor = Editor(model: model, threads: threads)
    let (height, width) = imageSize
    var conditions: [String: Condition] = [:]
    let keys = prompts.keys
    let texts = try keys.map { try prompts[$0].string() }
    let encoded = try editor.encode(texts, negativePrompt: nil, width: width, height: height)
    for (key, condition) in zip(keys, encoded.prompts) { conditions[key] = condition }

    let tape = try tape()
    let network = try editor.noiseNetwork(width: width, height: height)
    let diffusion = Diffusion(unet: network, schedule: model.schedule, empty: encoded.empty)
    try await body(Bench(model: diffusion, tape: tape, conditions: conditions))
    guard tape.unused.isEmpty else { throw TraceError.unusedDraws(tape.unused) }
  }

  /// A switch that a case may leave out.
  func flag(_ key: String) throws -> Bool { params[key].isPresent ? try params[key].bool() : false }

  func sampler() throws -> Sampler { try flag("sde") ? .sde : .ode }
}
