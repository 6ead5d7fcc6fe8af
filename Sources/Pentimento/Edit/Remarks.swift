import Editing
import Synchronization
import Tensors

/// What a method says beside its result: warnings, and the mask that it found.
final class Remarks: Sendable {
  private let state: Mutex<(mask: Mask?, warnings: [String])>

  /// - Parameter mask: the mask that was given, if one was.
  init(mask: Mask?) { state = Mutex((mask, [])) }

  var mask: Mask? { state.withLock { $0.mask } }
  var warnings: [String] { state.withLock { $0.warnings } }

  var observer: EditObserver {
    EditObserver(
      masks: { [self] mask in state.withLock { $0.mask = mask } },
      warning: { [self] sentence in state.withLock { $0.warnings.append(sentence) } })
  }
}
