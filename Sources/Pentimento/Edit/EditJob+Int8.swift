import Editing
import Runtime
import Tensors

/// What int8 would have cost an edit that runs in floats.
///
/// Methods that tune embeddings run in floats on the weights of an int8 model, since gradients do and embeddings undo
/// the errors of the arithmetic that they were tuned in. What sampling with these embeddings in int8 would have made
/// of the picture is found by doing it.
extension EditJob {
  /// Network evaluations of the comparison.
  var comparisonEvaluations: Int {
    stages.int8 == nil ? 0 : prepared.method.evaluations(prepared.given)
  }

  /// Peak signal-to-noise ratio in dB between the edit and the one that is sampled in int8.
  ///
  /// - Returns: nil where it is not asked for, or where nothing differs.
  func int8Decibels(
    _ inputs: EditInputs, _ inversion: Inversion?, empty: Condition, against working: Picture,
    on thread: NetworkThread, progress: @escaping @Sendable (Int) -> Void
  ) async throws -> Double? {
    guard let stage = stages.int8 else { return nil }
    var inputs = inputs
    inputs.outline = prepared.given
    inputs.inversion = inputs.inversion ?? inversion
    let latent = try await {
      let network = try await thread.run {
        try NoiseNetwork(stage, model: editor.model, pool: editor.pool, on: thread) { progress($0.total) }
      }
      let context = EditContext(
        diffusion: Diffusion(unet: network, schedule: editor.model.schedule, empty: empty),
        tape: tape)
      return try await prepared.method.run(inputs, in: context)
    }()
    let picture = Picture(signal: try await codec(on: thread).decode(latent))
    return picture.decibels(against: working)
  }
}

extension PreparedMethod {
  /// The edit with its inversion given.
  fileprivate var given: EditOutline {
    var outline = outline
    outline.inversion = .given
    return outline
  }
}

extension EditStages {
  /// The noise network in the model's own arithmetic, for a comparison.
  ///
  /// - Throws: `RequestError.int8Idle` where an edit runs in int8 anyway, or there is none.
  static func int8(
    _ size: Extent, of method: String, contexts: Int, demands: NetworkDemands, lanes: Int?,
    _ stages: Stages, beside bytes: Int, _ refused: inout Refused
  ) throws -> Stage? {
    guard demands.contains(.floats) else {
      throw RequestError.int8Idle(reason: "\(method) runs in int8 where the model is")
    }
    let stage = try refused.planned(beside: bytes) {
      try stages.noise(width: size.width, height: size.height, contexts: contexts, lanes: lanes)
    }
    if let stage, !stage.graph.weights.contains(where: { stage.weights[$0].format.element == .s8 }) {
      throw RequestError.int8Idle(reason: "the model's noise network has no layer in int8")
    }
    return stage
  }
}
