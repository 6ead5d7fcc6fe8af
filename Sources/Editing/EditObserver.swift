import Tensors

/// Where a method reports its intermediate values under the names of the parity cases (`traj`, `zs`, …).
///
/// `edit` passes `.none`; `trace` collects. A name reported several times becomes one tensor, stacked in order.
public struct EditObserver: Sendable {
  let report: (@Sendable (String, HostTensor) -> Void)?

  public static let none = EditObserver(report: nil)

  public init(_ report: @escaping @Sendable (String, HostTensor) -> Void) { self.report = report }
  private init(report: (@Sendable (String, HostTensor) -> Void)?) { self.report = report }

  public func callAsFunction(_ name: String, _ latent: @autoclosure () -> Latent) {
    report?(name, latent().tensor)
  }
  public func tensor(_ name: String, _ value: @autoclosure () -> HostTensor) {
    report?(name, value())
  }
}
