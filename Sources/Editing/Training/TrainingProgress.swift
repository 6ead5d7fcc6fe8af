import Tensors

/// How far a training has come: steps done, the values and Adam's state after them.
///
/// Under one key a journal has it kept after every step, and every step's loss appended.
struct TrainingProgress: Sendable {
  var values: [String: HostTensor]
  var optimizer: Adam
  /// Of the steps done.
  var losses: [Double] = []
  /// Losses that the journal has: more than steps where only what was kept was lost.
  private var recorded = 0

  /// Steps done.
  var steps: Int { optimizer.steps }

  init(values: [String: HostTensor], optimizer: Adam) { (self.values, self.optimizer) = (values, optimizer) }

  /// What the journal has of it, else the beginning. The values go to the network.
  ///
  /// - Throws: `EditError.otherProgress` for the values of another network.
  static func resumed(
    from start: Self, _ key: String, in journal: any EditJournal, _ network: some Trainable,
    _ observer: EditObserver
  ) async throws -> Self {
    var progress = start
    let told = try await journal.progress(of: key)
    progress.recorded = told.appended.count
    if let kept = told.kept {
      for (name, value) in start.values {
        guard let found = kept.tensors["value.\(name)"], found.shape == value.shape else {
          throw EditError.otherProgress(method: key)
        }
        progress.values[name] = found
      }
      progress.optimizer.read(kept, names: start.values.keys)
      progress.losses = told.appended.prefix(progress.steps).compactMap { $0.numbers["loss"] }
      guard progress.losses.count == progress.steps else { throw EditError.otherProgress(method: key) }
      progress.losses.forEach(observer.loss)
    }
    try await network.update(progress.values)
    return progress
  }

  /// One step of the optimiser, told to network, journal and observer.
  mutating func step(
    _ gradients: [String: HostTensor], loss: Double, _ key: String, in journal: any EditJournal,
    _ network: some Trainable, _ observer: EditObserver
  ) async throws {
    if steps == 0 {
      for (name, gradient) in gradients { observer.tensor("grad0.\(name)", gradient) }
    }
    try optimizer.step(&values, gradients, loss: loss, method: key, step: steps + 1)
    losses.append(loss)
    try await network.update(values)
    observer.loss(loss)
    if recorded < steps {
      recorded += 1
      try await journal.append(JournalEntry(numbers: ["loss": loss]), to: key)
    }
    var entry = JournalEntry()
    for (name, value) in values { entry.tensors["value.\(name)"] = value }
    optimizer.write(to: &entry)
    try await journal.keep(entry, of: key)
  }
}
