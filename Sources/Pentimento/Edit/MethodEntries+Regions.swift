import Editing

/// Methods that edit a region: given, found, or dragged.
extension MethodEntry {
  static let diffEdit = MethodEntry(DiffEdit.self, maskRule: .majority, findsMask: .always) {
    method, settings, request in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.strength, into: &method.strength)
    try settings.take(.guidance, into: &method.guidance)
    try settings.take(.sourceGuidance, into: &method.inversionGuidance)
    try settings.take(.sampler, into: &method.sampler)
    try settings.take(.sourceAsNegative, into: &method.usesSourceAsNegative)
    try settings.take(.referenceBlend, into: &method.blendsReferenceLevel)
    try settings.take(.maskMaps, into: &method.automaticMask.maps)
    try settings.take(.maskStrength, into: &method.automaticMask.strength)
    try settings.take(.maskGuidance, into: &method.automaticMask.guidance)
    try settings.take(.maskRatio, into: &method.automaticMask.ratio)
    if method.sampler == .sde {
      try settings.refuse(
        .sourceGuidance, .sourceAsNegative, .referenceBlend, of: DiffEdit.name, "with the sampler sde")
    }
    if request.mask != nil {
      try settings.refuse(
        .maskMaps, .maskStrength, .maskGuidance, .maskRatio, of: DiffEdit.name, "with a mask that is given")
    }
    try requireText(request.prompt, DiffEdit.name)
  } prepare: { method, request in
    let hasMask = request.mask != nil || request.inversion?.inversion.mask != nil
    let evaluations = method.evaluations(hasMask: hasMask, inversion: request.inversionUse)
    return PreparedMethod(method: method, evaluations: evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, from: inputs.sourceCondition!, to: inputs.targetCondition!, mask: inputs.mask,
        given: inputs.inversion, model: model, tape: tape, observer: observer)
    }
  }

  static let inpaint = MethodEntry(Inpainting.self, maskRule: .nearest) { method, settings, request in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.guidance, into: &method.guidance)
    try settings.take(.strength, into: &method.strength)
    try settings.take(.sampler, into: &method.sampler)
    try settings.take(.order, into: &method.order)
    try requireText(request.prompt, Inpainting.name)
  } prepare: { method, _ in
    PreparedMethod(method: method, evaluations: method.evaluations) { inputs, model, tape, observer in
      try await method.edit(
        inputs.source!, to: inputs.targetCondition!, mask: inputs.mask!, model: model, tape: tape,
        observer: observer)
    }
  }

  static let drag = MethodEntry(Drag.self, maskRule: .majority, findsMask: .onRequest) {
    method, settings, request in
    try settings.take(.steps, into: &method.steps)
    try settings.take(.strength, into: &method.strength)
    try settings.take(.guidance, into: &method.maxGuidance)
    try settings.take(.sampler, into: &method.sampler)
    try settings.take(.radius, into: &method.radius)
    try settings.take(.stepSize, into: &method.stepSize)
    try settings.take(.copyScale, into: &method.copyScale)
    try settings.take(.sourceScale, into: &method.sourceScale)
    try settings.take(.minAdapterScale, into: &method.minAdapterScale)
    method.moves = request.moves
  } prepare: { method, request in
    // One drag of all points, or one after the other: each starts from the latent that the last one left.
    let parts = request.dragsInSequence ? request.moves.map { [$0] } : [request.moves]
    let drags = parts.map { moves in
      var drag = method
      drag.moves = moves
      return drag
    }
    let evaluations = drags.reduce(0) { $0 + $1.evaluations }
    let masksPath = request.findsMask
    return PreparedMethod(method: method, evaluations: evaluations) { inputs, model, tape, observer in
      var mask = inputs.mask
      if masksPath {
        let path = method.automaticMask(height: inputs.height, width: inputs.width)
        observer.found(path)
        mask = path
      }
      var (latent, draws) = (inputs.source!, 0)
      for drag in drags {
        latent = try await drag.edit(
          latent, showing: inputs.targetCondition!, mask: mask, model: model, tape: tape.dropFirst(draws),
          observer: observer)
        draws += drag.drawCount
      }
      return latent
    }
  }
}
