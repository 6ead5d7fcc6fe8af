import Editing
import Packing
import StableDiffusion

extension Model {
  /// What it was distilled to, as far as its files or the user say.
  public var kind: ModelKind {
    var kind = ModelKind()
    kind.isToldGuidance = unet.configuration.guidanceSinusoid != nil
    kind.isConsistency = kind.isToldGuidance || schedulerConfiguration.samplesConsistently
    kind.isDistilled = schedule.spacing == .trailing
    return kind
  }

  /// What an edit by a method takes where nobody says otherwise, as far as that is not the paper's: what the model says,
  /// and what models of its kind take.
  public func defaults(for method: EditMethod) -> MethodSettings {
    let own = defaults.settings(for: method.name)
    return method.defaults(of: kind, beside: own).merging(own) { _, own in own }
  }
}

extension Model {
  /// Throws where something works on ordinary predictions, and the network is told the guidance for its own.
  ///
  /// - Parameter name: what it is called.
  func checkOrdinary(for name: String) throws(EditError) {
    guard kind.isToldGuidance else { return }
    throw .needsToldGuidance(method: name, known: EditMethods.all.filter { $0.tellsGuidance }.names)
  }
}

/// What suggests that a model was distilled to few steps, without saying it.
struct Suspicion: Sendable {
  /// What files are called.
  let file: String
  let why: LoRAFile.Resemblance

  init(of file: String, _ why: LoRAFile.Resemblance) { (self.file, self.why) = (file, why) }

  /// The kind that is suspected; nil where it may be either.
  var steps: FewSteps? {
    switch why {
    case .title(let steps), .name(let steps): steps
    case .layers: nil
    }
  }

  fileprivate var reason: String {
    switch why {
    case .title: "\(file) is called in its metadata like"
    case .name: "\(file) is called like"
    case .layers: "\(file) trains all layers, like LCM-LoRAs and"
    }
  }
}

extension Model {
  /// Sentences on what is suspected and was not said.
  ///
  /// - Parameters:
  ///   - jumps: the run goes by the jumps of a consistency model, or the caller has said how it goes.
  ///   - method: its name, where it knows nothing of jumps.
  func suspicionNotes(jumps: Bool, method: String?) -> [String] {
    let (isJumping, isTrailing) = (jumps || kind.isConsistency, kind.isDistilled || hints.spacing != nil)
    return suspicions.compactMap { suspicion in
      switch suspicion.steps {
      case .jumps?:
        guard !isJumping else { return nil }
        let able = EditMethods.all.filter { $0.tellsGuidance }.names.joined(separator: ", ")
        let step =
          method.map { "\($0) is not made for them, \(able) are" }
          ?? "if it is one, give \(FewSteps.jumps.option)"
        return "\(suspicion.reason) \(FewSteps.jumps.examples), and nothing says so: \(step)."
      case .trailing?:
        guard !isTrailing else { return nil }
        return
          "\(suspicion.reason) \(FewSteps.trailing.examples), and nothing says so: if it is one, give "
          + "\(FewSteps.trailing.option)."
      case nil:
        guard !isJumping, !isTrailing else { return nil }
        return
          "\(suspicion.reason) \(FewSteps.trailing.examples), and nothing says so: if it is one, give "
          + "\(FewSteps.jumps.option) or \(FewSteps.trailing.option)."
      }
    }
  }
}
