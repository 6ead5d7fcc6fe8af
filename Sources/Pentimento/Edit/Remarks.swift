import Editing
import Synchronization
import Tensors

/// What a method says beside its result: warnings, the mask that it found, its inversion.
final class Remarks: Sendable {
  private let state: Mutex<(mask: Mask?, inversion: Inversion?, warnings: [String])>
  private let keepsInversion: Bool
  private let tuning = Losses()

  /// - Parameters:
  ///   - mask: the mask that was given, if one was.
  ///   - notes: what is to be said already.
  init(mask: Mask?, keepsInversion: Bool, notes: [String] = []) {
    state = Mutex((mask, nil, notes))
    self.keepsInversion = keepsInversion
  }

  var mask: Mask? { state.withLock { $0.mask } }
  var inversion: Inversion? { state.withLock { $0.inversion } }
  /// Of what the method tuned.
  var losses: [Double] { tuning.values }
  var warnings: [String] { state.withLock { $0.warnings } }

  func add(_ warning: String) { state.withLock { $0.warnings.append(warning) } }

  var observer: EditObserver {
    var onInversion: (@Sendable (Inversion) -> Void)?
    if keepsInversion {
      onInversion = { [self] found in state.withLock { $0.inversion = found } }
    }
    return EditObserver(
      masks: { [self] mask in state.withLock { $0.mask = mask } }, inversion: onInversion, losses: tuning.add,
      warning: { [self] sentence in state.withLock { $0.warnings.append(sentence) } })
  }
}
