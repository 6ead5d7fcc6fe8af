import Tensors

/// Where a method reports its intermediate values under the names of the parity cases (`traj`, `zs`, …),
/// and what the user should know about the result.
///
/// `edit` listens to masks, warnings and perhaps an inversion; `trace` collects everything. A name reported several times becomes
/// one tensor, stacked in order.
public struct EditObserver: Sendable {
  private let report: (@Sendable (String, HostTensor) -> Void)?
  private let reportMatrix: (@Sendable (String, HostTensor) -> Void)?
  private let reportCount: (@Sendable (String, Int) -> Void)?
  private let mask: (@Sendable (Mask) -> Void)?
  private let inversion: (@Sendable (Inversion) -> Void)?
  private let losses: (@Sendable (Double) -> Void)?
  private let warning: (@Sendable (String) -> Void)?
  private let steps: (@Sendable (Latent) -> Void)?

  public static let none = EditObserver()

  /// Collects intermediate values; methods then also compute what only a trace shows.
  ///
  /// - Parameters:
  ///   - report: told pictures, latents and masks `[H, W, C]`, and vectors; matrices too unless `matrices` is.
  ///   - matrices: told `[rows, columns]`, each a value of its own.
  ///   - counts: told whole numbers; else `report` is told them as vectors of one.
  public init(
    _ report: @escaping @Sendable (String, HostTensor) -> Void,
    matrices: (@Sendable (String, HostTensor) -> Void)? = nil,
    counts: (@Sendable (String, Int) -> Void)? = nil, warning: (@Sendable (String) -> Void)? = nil
  ) {
    self.report = report
    reportMatrix = matrices ?? report
    reportCount = counts ?? { report($0, HostTensor(shape: [1], values: [Float($1)])) }
    losses = nil
    self.mask = nil
    self.inversion = nil
    self.warning = warning
    steps = nil
  }

  /// Listens to masks that a method finds, to its inversion, to the losses of what it tunes or trains, and to
  /// warnings.
  ///
  /// - Parameters:
  ///   - inversion: asks a method to invert in full and to keep what it finds.
  ///   - losses: told the loss of every update in order; those of before a break once more when a run goes on.
  ///   - steps: told the latent that the edit has come to, once for every step.
  public init(
    masks: (@Sendable (Mask) -> Void)? = nil, inversion: (@Sendable (Inversion) -> Void)? = nil,
    losses: (@Sendable (Double) -> Void)? = nil, steps: (@Sendable (Latent) -> Void)? = nil,
    warning: (@Sendable (String) -> Void)? = nil
  ) {
    (report, reportMatrix, reportCount) = (nil, nil, nil)
    self.losses = losses
    self.steps = steps
    mask = masks
    self.inversion = inversion
    self.warning = warning
  }

  /// Whether intermediate values are wanted.
  public var isTracing: Bool { report != nil }
  /// Whether the inversion is wanted, in full.
  public var keepsInversion: Bool { inversion != nil }

  public func callAsFunction(_ name: String, _ latent: @autoclosure () -> Latent) {
    if name == Self.trajectory { steps?(latent()) }
    report?(name, latent().tensor)
  }

  /// Where a method is in its edit, step after step.
  private static let trajectory = "traj"

  public func tensor(_ name: String, _ value: @autoclosure () -> HostTensor) {
    report?(name, value())
  }
  /// `[rows, columns]`, one of several under the name.
  func matrix(_ name: String, _ value: @autoclosure () -> HostTensor) { reportMatrix?(name, value()) }
  func count(_ name: String, _ value: @autoclosure () -> Int) { reportCount?(name, value()) }
  /// The loss of one update.
  public func loss(_ value: Double) {
    losses?(value)
    report?("losses", HostTensor(shape: [1], values: [Float(value)]))
  }
  /// The region that the method edits, where it found one itself.
  public func found(_ mask: @autoclosure () -> Mask) {
    self.mask?(mask())
    report?("mask", mask().tensor)
  }
  /// The photo's inversion, complete.
  public func inverted(_ inversion: @autoclosure () -> Inversion) { self.inversion?(inversion()) }
  /// The region in which the method turned out to act, step by step; a trace has the steps instead.
  public func acted(in mask: @autoclosure () -> Mask) { self.mask?(mask()) }
  /// A complete sentence.
  public func warn(_ sentence: @autoclosure () -> String) { warning?(sentence()) }
}
