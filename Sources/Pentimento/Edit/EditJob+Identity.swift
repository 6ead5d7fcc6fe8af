import Editing
import Files
import Pictures
import Tensors

extension EditJob {
  /// What a run depends on, so that its journal is used by no other. How much memory and how many threads it has is
  /// not among it: the bits do not depend on them. They do on whether the kernels fuse products with sums.
  func identity(_ read: EditPictures.Prepared) throws -> RunIdentity {
    var run = try editor.identity(seed: seed, prepared.name, prepared.method.settings(prepared.outline))
    for (name, prompt) in [
      ("prompt", request.prompt), ("source prompt", request.sourcePrompt),
      ("negative prompt", request.negativePrompt),
    ] {
      run.tie(name, prompt, shown: prompt.map { "\"\($0)\"" })
    }
    run.tie("prompt syntax", request.syntax.rawValue)
    run.tie(
      "concepts",
      request.concepts.map { ($0.direction == .add ? "+" : "-") + $0.text }.joined(separator: ", "))
    run.tie("posterior", request.posterior.rawValue)
    run.tie("working size", "\(workingSize)")
    run.tie("picture", read.picture.map { SHA256.hex(of: $0.pixels) }, shown: "a picture")
    run.tie(
      "mask",
      read.mask.map { mask in mask.values.withUnsafeBytes { SHA256.hex(of: $0) } } ?? "\(request.findsMask)",
      shown: "a mask")
    let points = prepared.outline.moves.map {
      "\($0.source.x),\($0.source.y):\($0.target.x),\($0.target.y)"
    }
    run.tie(
      "points", (points + (request.dragsInSequence ? ["one after the other"] : [])).joined(separator: " "))
    run.tie("inversion", request.inversion.map(InversionFile.digest), shown: "an inversion")
    run.tie("translator", request.translator?.digest, shown: request.translator?.path)
    run.tie("task", prepared.outline.task.map { "\($0 + 1)" })
    for (name, value) in learning?.training.parameters.sorted(by: { $0.key < $1.key }) ?? [] {
      run.tie("lora-\(name)", value)
    }
    run.tie("kept inversion", "\(request.keepsInversion)")
    return run
  }
}

extension Editor {
  /// What every run of a model depends on.
  ///
  /// - Parameter parameters: of the method, by name.
  func identity(seed: UInt64, _ method: String, _ parameters: [String: String]) throws -> RunIdentity {
    var run = RunIdentity()
    run.tie("program", programVersion)
    run.tie(
      "model", try identity.value(),
      shown: "\"" + ([model.name] + model.adapters).joined(separator: " with ") + "\"")
    run.tie("method", method)
    for (name, value) in parameters.sorted(by: { $0.key < $1.key }) { run.tie(name, value) }
    run.tie("seed", "\(seed)")
    run.tie("generator of noise", SeededTape.generator)
    run.tie("attention", model.attention.rawValue)
    run.tie("precision", model.activations.rawValue)
    run.tie("kernels", pool.kernels.sharesBits ? "fused" : "not fused")
    return run
  }
}
