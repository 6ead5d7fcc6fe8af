import Editing
import Pentimento
import StableDiffusion
import Tensors
import WeightStorage

extension TraceCase {
  /// Cases of single components, by kind.
  static let componentKinds: [String: Run] = [
    "tokenizer": { trace, model, _, results in
      let texts = try trace.params["prompts"].strings()
      for (index, part) in model.textEncoders.enumerated() {
        let tokenizer = try part.tokenizer()
        let ids = texts.flatMap { tokenizer.encode($0, maxLength: model.tokens).ids.map(Int64.init) }
        results.add("ids" + suffix(index), ids, shape: [texts.count, model.tokens])
      }
    },
    "text": { trace, model, threads, results in
      let texts = try trace.params["prompts"].strings()
      let editor = try Editor(model: model, threads: threads)
      for index in model.textEncoders.indices {
        let states = try editor.textStates(texts, encoder: index)
        results.add("last_hidden_state" + suffix(index), .stacked(states.map(\.lastHiddenState)))
        results.add("penultimate" + suffix(index), .stacked(states.map(\.penultimate)))
        let pooled = states.compactMap(\.pooled)
        if !pooled.isEmpty {
          let rows = pooled.flatMap(\.values)
          results.add(
            "pooled" + suffix(index),
            HostTensor(shape: [texts.count, rows.count / texts.count], values: rows))
        }
      }
      let encoded = try editor.encode(
        texts, negativePrompt: nil, width: trace.imageSize.width, height: trace.imageSize.height)
      results.add("context", .stacked(encoded.prompts.map(\.context)))
    },
    "text_weighted": { trace, model, threads, results in
      let editor = try Editor(model: model, threads: threads)
      let encoded = try editor.encode(
        trace.params["prompts"].strings(), negativePrompt: "", syntax: .weighted,
        width: trace.imageSize.width, height: trace.imageSize.height)
      results.add("context", .stacked(encoded.prompts.map(\.context)))
      let pooled = encoded.prompts.compactMap(\.pooled)
      if !pooled.isEmpty {
        let values = pooled.flatMap(\.values)
        results.add("pooled", HostTensor(shape: [pooled.count, pooled[0].count], values: values))
      }
      let rows = encoded.prompts.flatMap { prompt in
        (0..<prompt.context.shape[0]).map { row in
          Int64(prompt.wordRows.contains { $0.contains(row) } ? 1 : 0)
        }
      }
      results.add("words", rows, shape: [encoded.prompts.count, encoded.prompts[0].context.shape[0]])
    },
    "diffedit_mask": { trace, model, threads, results in
      try await trace.runMaskFinder(model, threads: threads, results)
    },
    "schedule": { trace, model, _, results in try schedule(trace, model.schedule, results) },
    "schedule_few": { trace, model, _, results in try trace.runFewStepSchedule(model, results) },
    "guidance_embedding": { trace, _, _, results in try trace.runGuidanceEmbedding(results) },
    "unet": { trace, model, threads, results in
      let (height, width) = trace.imageSize
      let editor = try Editor(model: model, threads: threads)
      let network = try editor.noiseNetwork(width: width, height: height, keeping: .taps)
      let condition = try Condition(
        context: trace.matrix("context"), pooled: trace.optionalMatrix("pooled"),
        timeIDs: trace.optionalMatrix("time_ids"))
      for timestep in try trace.params["timesteps"].integers() {
        var query = NoiseQuery(try trace.latent("x"), timestep: timestep, condition)
        query.toldGuidance = try trace.toldGuidance
        for (name, value) in try await network.values(query) {
          let tensor = value.shape.count == 3 ? value.toNCHW() : value
          if name == "out" {
            results.add("out_\(timestep)", tensor)
          } else if timestep == 500, isCompared(name) {
            results.add(name, tensor)
          }
        }
      }
    },
    "unet_vjp": { trace, model, threads, results in
      try await trace.runGradients(model, threads: threads, results)
    },
    "lora_train": { trace, model, threads, results in
      try await trace.runLoRATraining(model, threads: threads, results)
    },
    "dds_network": { trace, model, threads, results in
      try await trace.runTranslatorTraining(model, threads: threads, results)
    },
    "vae_sample": { trace, model, threads, results in
      let (mean, logVariance) = try await trace.encoded(Editor(model: model, threads: threads).codec)
      let posterior = Posterior(
        mean: mean, logVariance: logVariance, scale: Double(model.autoencoder.scalingFactor))
      let tape = try trace.tape()
      results.add("latent", try posterior.latent(.sample, tape))
      guard tape.unused.isEmpty else { throw TraceError.unusedDraws(tape.unused) }
    },
    "vae": { trace, model, threads, results in
      let codec = try Editor(model: model, threads: threads).codec
      let (height, width) = trace.imageSize
      let (latent, logVariance) = try await trace.encoded(codec)
      results.add("latent", latent)
      results.add("mean", (1 / Double(model.autoencoder.scalingFactor)) * latent)
      results.add("logvar", logVariance)
      let decoded = try await codec.decode(trace.latent("z"))
      results.add("decoded", decoded.toNCHW())
      let bytes = Picture(signal: decoded).pixels.map(Float.init)
      let planes = HostTensor(shape: [height, width, 3], values: bytes).toNCHW()
      results.add("decoded_u8", planes.values.map { UInt8($0) }, shape: planes.shape)
    },
  ]

  /// The posterior of the picture among the inputs.
  private func encoded(_ codec: some LatentCodec) async throws -> (mean: Latent, logVariance: Latent) {
    let pixels = try inputs.bytes("image_u8")
    let (height, width) = imageSize
    guard pixels.count == 3 * height * width else {
      throw TraceError.input("image_u8", found: [pixels.count], expected: "[1, 3, \(height), \(width)]")
    }
    let planar = HostTensor(shape: [1, 3, height, width], values: pixels.map(Float.init))
    let picture = Picture(
      width: width, height: height, pixels: HostTensor(fromNCHW: planar).values.map { UInt8($0) })
    return try await codec.encode(picture.signal)
  }

  /// The format compares the parts of the blocks on the way down, and whole blocks from there on.
  private static func isCompared(_ tap: String) -> Bool {
    let path = tap.dropFirst("block.".count).split(separator: ".")
    return path[0] == "down_blocks" || path.count == (path[0] == "up_blocks" ? 2 : 1)
  }

  /// Names of the second text encoder's values end in `_2`.
  private static func suffix(_ encoder: Int) -> String { encoder == 0 ? "" : "_\(encoder + 1)" }

  /// `[1, rows, columns]` or `[rows, columns]` of the inputs, without the leading 1.
  func matrix(_ name: String) throws -> HostTensor {
    let tensor = try inputs.hostTensor(name)
    return HostTensor(shape: Array(tensor.shape.suffix(2)), values: tensor.values)
  }

  func optionalMatrix(_ name: String) throws -> HostTensor? {
    inputs[name] == nil ? nil : try matrix(name)
  }
}

/// The tables and single steps of a schedule; which ones, the input's expectation names:
/// every grid and step that the format knows.
private func schedule(_ trace: TraceCase, _ schedule: NoiseSchedule, _ results: TraceResults) throws {
  results.add("alpha_bar", HostTensor(shape: [schedule.alphaBars.count], values: schedule.alphaBars))
  func whole(_ name: String, _ values: [Int]) {
    results.add(name, values.map(Int64.init), shape: [values.count])
  }
  func real(_ name: String, _ values: [Double]) {
    results.add(name, HostTensor(shape: [values.count], values: values.map(Float.init)))
  }
  for steps in [4, 7, 30, 50, 100, 200] {
    whole("leading_\(steps)", try schedule.samplingGrid(steps: steps, spacing: .leading).timesteps)
  }
  for steps in [5, 8, 34, 50] {
    for spacing in DPMGrid.Spacing.allCases {
      let grid = try DPMGrid(schedule, steps: steps, spacing: spacing)
      let name = "dpm_\(spacing.rawValue)_\(steps)"
      whole(name, grid.timesteps)
      real(name + "_A", grid.signal)
      real(name + "_S", grid.noise)
    }
  }
  func vector(_ name: String) throws -> Latent {
    let values = try trace.inputs.floats(name)
    return Latent(height: 1, width: values.count, channels: 1, values: values)
  }
  let (x, eps) = (try vector("x"), try vector("eps"))
  for (from, to) in [(981, 961), (21, 1), (1, nil)] {
    for eta in [0.0, 0.5, 1.0] {
      // The format's last step ends at ᾱ_0 on every model, those that end at 1 too.
      let step = Transition(
        timestep: from, from: schedule.alphaBar(from), to: schedule.alphaBar(to ?? 0))
      let mean = step.mean(x, eps, eta: eta).values.map(Double.init)
      real("step_\(from)_\(to.map(String.init) ?? "final")_eta\(eta)", mean + [step.sigma(eta: eta)])
    }
  }
}

extension HostTensor {
  /// Tensors of one shape, one after the other: `[n] + shape`.
  fileprivate static func stacked(_ tensors: [HostTensor]) -> HostTensor {
    HostTensor(shape: [tensors.count] + tensors[0].shape, values: tensors.flatMap(\.values))
  }
}
