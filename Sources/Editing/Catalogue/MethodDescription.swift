/// Everything that can be said about a method without running it.
public struct MethodDescription: Sendable, Equatable {
  public var about: MethodSummary
  /// With the default values.
  public var parameters: [Parameter]

  init<Method: EditingMethod>(_ type: Method.Type) {
    about = Method.about
    parameters = Method().parameters
  }

  public var name: String { about.name }

  /// Every method, those without a photo first.
  public static let all = [
    MethodDescription(TextToImage.self), MethodDescription(SEGA.self),
    MethodDescription(SDEdit.self), MethodDescription(DDIMTranslation.self),
    MethodDescription(CycleDiffusion.self), MethodDescription(CycleSDE.self),
    MethodDescription(DDPMInversion.self), MethodDescription(LEDITS.self),
    MethodDescription(LEDITSPlusPlus.self),
    MethodDescription(ScoreDistillationSampling.self), MethodDescription(DeltaDenoisingScore.self),
    MethodDescription(DiffEdit.self), MethodDescription(Inpainting.self), MethodDescription(Drag.self),
  ]

  /// The method of that name.
  public static func named(_ name: String) -> MethodDescription? { all.first { $0.name == name } }
}
