import Editing
import Tensors

/// Edits of latents as tests say them: the outline follows from the conditions, and from the concepts or the points
/// that the method holds.
extension EditingMethod {
  package func outline(
    hasSourcePrompt: Bool = false, hasTargetPrompt: Bool = true, hasMask: Bool = false,
    inversion: InversionUse = .discarded
  ) -> EditOutline {
    var outline = EditOutline()
    outline.hasPicture = true
    outline.sourcePrompt = hasSourcePrompt ? "what the photo shows" : nil
    outline.prompt = hasTargetPrompt ? "what the result shows" : nil
    outline.concepts = ((self as? any ConceptMethod)?.concepts ?? []).map { ConceptRequest("a concept", $0) }
    outline.moves = (self as? Drag)?.moves ?? []
    (outline.hasMask, outline.inversion) = (hasMask, inversion)
    return outline
  }

  /// A whole edit of a photo, or of what an inversion holds of it.
  package func edit(
    _ photo: Latent?, from source: Condition? = nil, to target: Condition? = nil, concepts: [Condition] = [],
    mask: Mask? = nil, given inversion: Inversion? = nil, model: Diffusion,
    tape: any NoiseTape = SeededTape(seed: 0), observer: EditObserver = .none,
    journal: any EditJournal = NoJournal()
  ) async throws -> Latent {
    let photo = photo ?? inversion!.states.values.first!
    var outline = outline(
      hasSourcePrompt: source != nil, hasTargetPrompt: target != nil, hasMask: mask != nil,
      inversion: inversion != nil ? .given : observer.keepsInversion ? .kept : .discarded)
    outline.inversionHasMask = inversion?.mask != nil
    var inputs = EditInputs(outline, height: photo.height, width: photo.width, channels: photo.channels)
    (inputs.source, inputs.sourceCondition, inputs.targetCondition) = (photo, source, target)
    (inputs.conceptConditions, inputs.mask, inputs.inversion) = (concepts, mask, inversion)
    var context = EditContext(diffusion: model, tape: tape, observer: observer, journal: journal)
    context.derivative = model.unet as? any NoiseDerivative
    return try await resumableRun(inputs, in: context)
  }

  package func edit(
    _ inversion: Inversion, to target: Condition? = nil, concepts: [Condition] = [], mask: Mask? = nil,
    model: Diffusion, observer: EditObserver = .none
  ) async throws -> Latent {
    try await edit(
      nil, to: target, concepts: concepts, mask: mask, given: inversion, model: model, observer: observer)
  }

  package func generate(
    _ target: Condition, concepts: [Condition] = [], height: Int, width: Int, model: Diffusion,
    tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try await edit(
      Latent(height: height, width: width), to: target, concepts: concepts, model: model, tape: tape,
      observer: observer)
  }

  package func validate(on schedule: NoiseSchedule) throws { try validate(outline(), on: schedule) }

  package var evaluations: Int { evaluations(outline()) }
  package func evaluations(
    hasSourcePrompt: Bool = true, hasTargetPrompt: Bool = true, hasMask: Bool = false,
    inversion: InversionUse = .discarded
  ) -> Int {
    evaluations(
      outline(
        hasSourcePrompt: hasSourcePrompt, hasTargetPrompt: hasTargetPrompt, hasMask: hasMask,
        inversion: inversion))
  }

  package func storageBytes(
    height: Int, width: Int, channels: Int = 4, inversion: InversionUse = .discarded
  ) -> Int {
    storageBytes(outline(inversion: inversion), height: height, width: width, channels: channels)
  }
}

extension Drag {
  package func edit(
    _ photo: Latent, showing prompt: Condition, mask: Mask? = nil, model: Diffusion, tape: any NoiseTape,
    observer: EditObserver = .none
  ) async throws -> Latent {
    try await edit(photo, to: prompt, mask: mask, model: model, tape: tape, observer: observer)
  }
}

/// A method whose inversion stands alone.
package protocol Inverter: InvertingMethod {
  func invert(_ inputs: EditInputs, in context: EditContext) async throws -> Inversion
}

extension DDPMInversion: Inverter {}
extension LEDITSPlusPlus: Inverter {}

extension Inverter {
  package func invert(
    _ photo: Latent, from source: Condition? = nil, keepsEveryLevel: Bool = false, model: Diffusion,
    tape: any NoiseTape, observer: EditObserver? = nil
  ) async throws -> Inversion {
    let observer = observer ?? (keepsEveryLevel ? EditObserver(inversion: { _ in }) : .none)
    var inputs = EditInputs(
      outline(hasSourcePrompt: source != nil), height: photo.height, width: photo.width,
      channels: photo.channels)
    (inputs.source, inputs.sourceCondition) = (photo, source)
    return try await invert(inputs, in: EditContext(diffusion: model, tape: tape, observer: observer))
  }
}

extension DiffEditMask {
  package func callAsFunction(
    _ photo: Latent, from source: Condition, to target: Condition, model: Diffusion, tape: any NoiseTape,
    observer: EditObserver = .none
  ) async throws -> Mask {
    try await callAsFunction(
      photo, from: source, to: target,
      in: EditContext(diffusion: model, tape: tape, observer: observer))
  }
}
