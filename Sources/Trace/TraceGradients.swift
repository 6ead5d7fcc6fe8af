import Editing
import Pentimento
import Tensors

extension TraceCase {
  /// Gradients of ⟨raw output, G⟩ by the context, the latent and the matrices of a LoRA: of the model as it is, and
  /// with the LoRA, whose matrices are values of the run.
  func runGradients(_ model: Model, threads: Int, _ results: TraceResults) async throws {
    let condition = try Condition(
      context: matrix("context"), pooled: optionalMatrix("pooled"), timeIDs: optionalMatrix("time_ids"))
    var query = NoiseQuery(try latent("x"), timestep: try params["timestep"].integer(), condition)
    let seed = try latent("G").tensor
    let shape = try inputs.hostTensor("context").shape

    func run(_ model: Model, given matrices: [String: HostTensor]) async throws -> [String: HostTensor] {
      var kept: KeptValues = [.seededGradient, .contextGradient, .latentGradient]
      if !matrices.isEmpty { kept.insert(.parameterGradients) }
      let network = try Editor(model: model, threads: threads).noiseNetwork(
        width: imageSize.width, height: imageSize.height, keeping: kept)
      try await network.update(matrices)
      return try await network.values(query, seed: seed)
    }
    func report(_ values: [String: HostTensor], _ prefix: String) {
      results.add("\(prefix)out", values["out"]!.toNCHW())
      results.add("\(prefix)grad_x", values["gradient.latent"]!.toNCHW())
      results.add(
        "\(prefix)grad_context", HostTensor(shape: shape, values: values["gradient.context"]!.values))
    }

    report(try await run(model, given: [:]), "")
    let matrices = try loRAMatrices()
    guard !matrices.isEmpty else { return }
    query.adapterScale = try params["lora_scale"].real()
    let trained = try await run(model.training(rank: params["rank"].integer()), given: matrices)
    report(trained, "lora_")
    for name in matrices.keys { results.add("grad.\(name)", trained["gradient.\(name)"]!) }
  }

  /// The case's LoRA by the names of its matrices; empty where it has none.
  func loRAMatrices() throws -> [String: HostTensor] { try tensors("lora.") }

  /// Inputs by what follows a prefix of their names.
  func tensors(_ prefix: String) throws -> [String: HostTensor] {
    let names = inputs.tensors.map(\.name).filter { $0.hasPrefix(prefix) }
    return try Dictionary(
      uniqueKeysWithValues: names.map { (String($0.dropFirst(prefix.count)), try inputs.hostTensor($0)) })
  }
}
