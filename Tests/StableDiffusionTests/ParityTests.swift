import Kernels
import NeuralGraph
import Runtime
import StableDiffusion
import Tensors
import TestSupport
import Testing
import WeightStorage

/// A network, planned, with its weights loaded.
struct Running {
  let executor: Executor

  init(_ checkpoint: Checkpoint, taps: Bool = false, _ define: (Scope) throws -> [String: Value]) throws {
    let builder = GraphBuilder { (try? checkpoint.format(of: $0)) ?? WeightFormat(.f32) }
    let outputs = try define(builder.root)
    let keep = taps ? outputs.merging(builder.graph.taps) { output, _ in output } : outputs
    let plan = try Planner(threads: 2).plan(builder.graph, keep: keep)
    executor = try Executor(
      builder.graph, plan, weights: NetworkWeights(builder.graph.weights, in: checkpoint),
      pool: ThreadPool.of(2))
    executor.poison()
  }

  func callAsFunction(_ inputs: [String: HostTensor]) throws -> [String: HostTensor] {
    try executor.run([inputs])[0]
  }
}

extension Recorded {
  /// Compares with what the reference has under this name, channels first, row `item` of a batch.
  fileprivate func expect(
    _ name: String, _ mine: HostTensor?, item: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let mine = try #require(mine, "no \(name)", sourceLocation: sourceLocation)
    let flat = mine.shape.count == 3 ? mine.toNCHW() : mine
    let all = try expected.floats(name)
    let reference = all[item * flat.count..<(item + 1) * flat.count]
    let worst = zip(flat.values, reference).map { abs($0 - $1) }.max()!
    // NaN compares false.
    #expect(worst <= tolerance(name), "\(name) is off by \(worst)", sourceLocation: sourceLocation)
  }

  fileprivate func picture(_ name: String) throws -> HostTensor {
    HostTensor(fromNCHW: try inputs.hostTensor(name))
  }
}

/// The reference is the same computation in Double (PyTorch).
@Suite("Networks agree with the reference", .serialized) struct ParityTests {
  private static let families: [Fixture] = [.sd15, .sd21, .sdxl, .pruned]

  @Test("UNet, at every block", arguments: families) func unet(fixture: Fixture) throws {
    let (recorded, configuration) = try (fixture.recorded("c_unet"), fixture.unet())
    let x = try recorded.picture("x")
    let context = try recorded.inputs.hostTensor("context")
    let network = try Running(fixture.model().weights(of: "unet"), taps: true) { g in
      let values = try UNet(configuration).define(
        height: x.shape[0], width: x.shape[1], tokens: context.shape[1], g)
      return ["out": values.out]
    }
    var inputs = [
      "latent": x, "context": HostTensor(shape: Array(context.shape.dropFirst()), values: context.values),
    ]
    if let sinusoid = configuration.timeIDSinusoid {
      inputs["pooled"] = try recorded.inputs.hostTensor("pooled")
      inputs["time_ids_sinusoid"] = sinusoid(try recorded.inputs.floats("time_ids").map(Double.init))
    }
    for t in [1, 500, 981] {
      inputs["timestep_sinusoid"] = configuration.timestepSinusoid(timestep: t)
      let values = try network(inputs)
      try recorded.expect("out_\(t)", values["out"])
      guard t == 500 else { continue }
      for tensor in recorded.expected.tensors where tensor.name.hasPrefix("block.") {
        try recorded.expect(tensor.name, values[String(tensor.name.dropFirst("block.".count))])
      }
    }
  }

  @Test("autoencoder, both ways", arguments: families) func autoencoder(fixture: Fixture) throws {
    let (recorded, weights) = try (fixture.recorded("c_vae"), fixture.model().weights(of: "vae"))
    let autoencoder = Autoencoder(try fixture.autoencoder())
    let shape = try recorded.inputs.tensor("image_u8").shape
    let bytes = try recorded.inputs.bytes("image_u8")
    let image = HostTensor(
      fromNCHW: HostTensor(shape: shape, values: bytes.map { Float($0) / 127.5 - 1 }))
    let encoder = try Running(weights) { g in
      ["moments": try autoencoder.defineEncoder(height: shape[2], width: shape[3], g).moments]
    }
    let moments = try encoder(["image": image])["moments"]!.toNCHW()
    let half = moments.count / 2
    let latentShape = [1, 4, shape[2] / 8, shape[3] / 8]
    try recorded.expect("mean", HostTensor(shape: latentShape, values: Array(moments.values[..<half])))
    try recorded.expect("logvar", HostTensor(shape: latentShape, values: Array(moments.values[half...])))

    var z = try recorded.picture("z")
    for i in z.values.indices { z.values[i] /= autoencoder.configuration.scalingFactor }
    let decoder = try Running(weights) { g in
      ["image": try autoencoder.defineDecoder(height: z.shape[0], width: z.shape[1], g).image]
    }
    try recorded.expect("decoded", decoder(["latent": z])["image"])
  }

  @Test("text encoders, at their last two layers", arguments: families) func text(fixture: Fixture) throws {
    let recorded = try fixture.recorded("c_text")
    for (component, suffix) in zip(fixture.textEncoders, ["", "_2"]) {
      let encoder = try fixture.textEncoder(component)
      let network = try Running(fixture.model().weights(of: component)) { g in
        let values = try encoder.define(g)
        var keep = ["states": values.states, "penultimate": values.penultimate]
        keep["projections"] = values.projections
        return keep
      }
      for (item, prompt) in recorded.prompts.enumerated() {
        let ids = try fixture.tokenizer("tokenizer\(suffix)").encode(
          prompt, maxLength: encoder.configuration.tokens
        ).ids
        let values = try network(["ids": HostTensor(shape: [ids.count], values: ids.map(Float.init))])
        try recorded.expect("last_hidden_state\(suffix)", values["states"], item: item)
        try recorded.expect("penultimate\(suffix)", values["penultimate"], item: item)
        guard let projections = values["projections"] else { continue }
        let (row, width) = (encoder.configuration.endPosition(in: ids), projections.shape[1])
        let pooled = HostTensor(
          shape: [1, width], values: Array(projections.values[row * width..<(row + 1) * width]))
        try recorded.expect("pooled\(suffix)", pooled, item: item)
      }
    }
  }

  @Test("an attention map's rows are probabilities, and asking for it changes no bit of the output")
  func attentionMaps() throws {
    let configuration = try Fixture.sd15.unet()
    func run(attentionMaps: Bool) throws -> [String: HostTensor] {
      let network = try Running(Fixture.sd15.model().weights(of: "unet")) { g in
        let values = try UNet(configuration).define(
          height: 16, width: 8, tokens: 77, attentionMaps: attentionMaps, g)
        var keep = ["out": values.out]
        for (i, map) in values.attentionMaps.enumerated() { keep["map \(i)"] = map }
        return keep
      }
      return try network([
        "latent": wave([16, 8, 4]), "context": wave([77, configuration.contextWidth]),
        "timestep_sinusoid": configuration.timestepSinusoid(timestep: 500),
      ])
    }
    let with = try run(attentionMaps: true)
    #expect(try with["out"] == run(attentionMaps: false)["out"])
    #expect(with.count == 1 + 5)
    for (name, map) in with where name != "out" {
      #expect(map.shape == [4 * 2, 77])
      for row in 0..<map.shape[0] {
        let sum = map.values[row * 77..<(row + 1) * 77].reduce(0, +)
        #expect(abs(sum - 1) < 77 * 1e-6, "\(name), row \(row) sums to \(sum)")
      }
    }
  }

  private func wave(_ shape: [Int]) -> HostTensor {
    HostTensor(shape: shape, values: (0..<shape.reduce(1, *)).map { Float(($0 * 37) % 101) / 50 - 1 })
  }
}
