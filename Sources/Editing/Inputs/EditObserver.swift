import Tensors

/// Where a method reports its intermediate values under the names of the parity cases (`traj`, `zs`, …),
/// and what the user should know about the result.
///
/// `edit` listens to masks, warnings and perhaps an inversion; `trace` collects everything. A name reported several times becomes
/// one tensor, stacked in order.
public struct EditObserver: Sendable {
  private let report: (@Sendable (String, HostTensor) -> Void)?
  private let mask: (@Sendable (Mask) -> Void)?
  private let inversion: (@Sendable (Inversion) -> Void)?
  private let warning: (@Sendable (String) -> Void)?

  public static let none = EditObserver()

  /// Collects intermediate values; methods then also compute what only a trace shows.
  public init(
    _ report: @escaping @Sendable (String, HostTensor) -> Void, warning: (@Sendable (String) -> Void)? = nil
  ) {
    self.report = report
    self.mask = nil
    self.inversion = nil
    self.warning = warning
  }

  /// Listens to masks that a method finds, to its inversion, and to warnings.
  ///
  /// - Parameter inversion: asks a method to invert in full and to keep what it finds.
  public init(
    masks: (@Sendable (Mask) -> Void)? = nil, inversion: (@Sendable (Inversion) -> Void)? = nil,
    warning: (@Sendable (String) -> Void)? = nil
  ) {
    report = nil
    mask = masks
    self.inversion = inversion
    self.warning = warning
  }

  /// Whether intermediate values are wanted.
  public var isTracing: Bool { report != nil }
  /// Whether the inversion is wanted, in full.
  public var keepsInversion: Bool { inversion != nil }

  public func callAsFunction(_ name: String, _ latent: @autoclosure () -> Latent) {
    report?(name, latent().tensor)
  }
  public func tensor(_ name: String, _ value: @autoclosure () -> HostTensor) {
    report?(name, value())
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
