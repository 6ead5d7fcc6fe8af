import Editing
import Synchronization
import Tensors

/// What a method says beside its result: warnings, the mask that it found, its inversion.
final class Remarks: Sendable {
  private let state: Mutex<(mask: Mask?, inversion: Inversion?, warnings: [String])>
  private let keepsInversion: Bool
  private let steps: (@Sendable (Latent) -> Void)?
  private let watch = RunWatch.current
  private let tuning = Losses()

  /// - Parameters:
  ///   - mask: the mask that was given, if one was.
  ///   - notes: what is to be said already.
  ///   - steps: told the latent that the edit has come to; nil where nobody looks.
  init(
    mask: Mask?, keepsInversion: Bool, notes: [String] = [], steps: (@Sendable (Latent) -> Void)? = nil
  ) {
    state = Mutex((mask, nil, notes))
    (self.keepsInversion, self.steps) = (keepsInversion, steps)
    for note in notes { watch?.note(note) }
  }

  var mask: Mask? { state.withLock { $0.mask } }
  var inversion: Inversion? { state.withLock { $0.inversion } }
  /// Of what the method tuned.
  var losses: [Double] { tuning.values }
  var warnings: [String] { state.withLock { $0.warnings } }

  /// What is to be said, at once to those who look on.
  func add(_ warning: String) {
    state.withLock { $0.warnings.append(warning) }
    watch?.note(warning)
  }

  var observer: EditObserver {
    var onInversion: (@Sendable (Inversion) -> Void)?
    if keepsInversion {
      onInversion = { [self] found in state.withLock { $0.inversion = found } }
    }
    return EditObserver(
      masks: { [self] mask in state.withLock { $0.mask = mask } }, inversion: onInversion, losses: tuning.add,
      steps: steps, warning: add)
  }
}
