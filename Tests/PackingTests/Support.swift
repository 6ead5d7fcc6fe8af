import Editing
import Foundation
import Pentimento
import Tensors
import Testing

/// The picture of a three-step edit of noise.
func edit(_ model: Model) async throws -> [UInt8] {
  // Models that are told the guidance know few methods.
  let isTold = model.kind.isToldGuidance
  var request = EditRequest(isTold ? .sdedit(steps: 3) : .ddpmInversion(steps: 3))
  request.size = .box(Extent(width: 64, height: 64))
  let noise = SeededTape(seed: 5).normal(0, count: 1, height: 64, width: 64, channels: 3)[0]
  request.picture = Picture(signal: noise.tensor)
  (request.sourcePrompt, request.prompt) = (isTold ? nil : "a red ball", "a green ball")
  return try await Picture(reading: Editor(model: model, threads: 2).run(request).picture).pixels
}

/// The sentence with which a model is refused.
func refusal<T>(_ body: () throws -> T) throws -> String {
  do {
    let value = try body()
    Issue.record("was opened as \(value)")
    return ""
  } catch {
    #expect(Model.isModelError(error))
    return "\(error)"
  }
}
