import CPlatform
import Synchronization

/// Is told by the kernel when reclaiming memory from a control group of version 1 has become hard (level "medium" of
/// `memory.pressure_level`).
package final class PressureListener: Sendable {
  private let descriptor: Int32
  private let count = Mutex(0)

  /// - Parameter group: the group's folder.
  /// - Returns: nil where there is no such group, or this process may not listen to it.
  package init?(group: String) {
    descriptor = cplatform_listen_for_pressure(group)
    guard descriptor >= 0 else { return nil }
  }

  /// The listener to the first group that lets this process listen.
  package static func first(of groups: some Sequence<String>) -> PressureListener? {
    for group in groups {
      if let listener = PressureListener(group: group) { return listener }
    }
    return nil
  }

  deinit { close(descriptor) }

  /// How often it was told so far. Does not wait.
  package var notifications: Int {
    count.withLock { count in
      var fresh: UInt64 = 0
      if read(descriptor, &fresh, 8) == 8 { count += Int(fresh) }
      return count
    }
  }
}
