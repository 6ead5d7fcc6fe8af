/// What every editing method can say about itself before it runs.
///
/// How it is run differs from method to method, since their inputs do: see the `edit` of each.
public protocol EditingMethod: Sendable {
  /// With the defaults of its paper.
  init()
  static var about: MethodSummary { get }
  /// Every adjustable value, with what it is now.
  var parameters: [Parameter] { get }
  /// Refuses, with a sentence, what `edit` could not do or what would return the input.
  func validate(on schedule: NoiseSchedule) throws(EditError)
  /// Bytes that the method stores during a run beside the latents of the current step: noise maps, paths.
  func storageBytes(height: Int, width: Int, channels: Int) -> Int
}

/// A method in words.
public struct MethodSummary: Sendable, Equatable {
  /// What a method is given.
  public enum Need: String, Sendable, Codable, CaseIterable {
    case image
    case sourcePrompt = "source prompt"
    case targetPrompt = "target prompt"
    case mask, points, concepts
  }

  public var name: String
  public var summary: String
  public var paper: String
  public var needs: [Need]
  /// What it can use beside.
  public var accepts: [Need] = []
  public var samplers: [Sampler] = []
  /// Network evaluations of one edit: a formula, and its value for the defaults.
  public var evaluations: String
}

/// How the noise of a step is chosen (Nie et al. 2024).
public enum Sampler: String, Sendable, Codable, CaseIterable {
  /// Deterministic: an error of the start stays.
  case ode
  /// New or recorded noise in every step: an error of the start fades.
  case sde

  /// η of the DDIM step.
  public var eta: Double { self == .sde ? 1 : 0 }
}

extension EditingMethod {
  public static var name: String { about.name }
  var name: String { Self.about.name }

  /// Throws `EditError.parameter` for the first value out of its bounds.
  public func checkParameters() throws(EditError) {
    for parameter in parameters { try parameter.check(method: name) }
  }

  /// Bytes of `count` latents.
  func bytes(_ count: Int, _ height: Int, _ width: Int, _ channels: Int) -> Int {
    count * height * width * channels * MemoryLayout<Float>.size
  }
}

extension EditingMethod {
  /// Throws unless at least one of `steps` is inside the fraction that is run.
  func requireTransition(_ fraction: Double, of steps: Int) throws(EditError) {
    guard transitions(fraction, of: steps) >= 1 else {
      throw .nothingToDo(
        method: name, reason: "a strength of \(fraction) is less than one of \(steps) steps, raise either")
    }
  }
}
