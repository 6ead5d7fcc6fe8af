import Tensors

/// Where a method reports its intermediate values under the names of the parity cases (`traj`, `zs`, …),
/// and what the user should know about the result.
///
/// `edit` passes `.none` or warnings alone; `trace` collects. A name reported several times becomes one
/// tensor, stacked in order.
public struct EditObserver: Sendable {
  let report: (@Sendable (String, HostTensor) -> Void)?
  let warning: (@Sendable (String) -> Void)?

  public static let none = EditObserver(report: nil, warning: nil)

  public init(
    _ report: @escaping @Sendable (String, HostTensor) -> Void, warning: (@Sendable (String) -> Void)? = nil
  ) {
    self.init(report: report, warning: warning)
  }
  /// Warnings alone.
  public init(warning: @escaping @Sendable (String) -> Void) { self.init(report: nil, warning: warning) }
  private init(
    report: (@Sendable (String, HostTensor) -> Void)?, warning: (@Sendable (String) -> Void)?
  ) {
    self.report = report
    self.warning = warning
  }

  /// Whether intermediate values are wanted; methods then also compute what only a trace shows.
  public var isTracing: Bool { report != nil }

  public func callAsFunction(_ name: String, _ latent: @autoclosure () -> Latent) {
    report?(name, latent().tensor)
  }
  public func tensor(_ name: String, _ value: @autoclosure () -> HostTensor) {
    report?(name, value())
  }
  /// A complete sentence.
  public func warn(_ sentence: @autoclosure () -> String) { warning?(sentence()) }
}
