import Editing
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
