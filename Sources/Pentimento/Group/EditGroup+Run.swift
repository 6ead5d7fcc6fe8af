import Editing
import Runtime

extension EditGroup {
  /// What becomes of an edit; told once for each.
  public typealias Finished = @Sendable (_ index: Int, Result<EditResult, any Error>) async -> Void

  /// Runs the edits.
  ///
  /// - Parameters:
  ///   - journals: one for each edit or none; see `EditJob.run`.
  ///   - isStopped: looked at before every pass over the noise network and between pictures: what is under way is
  ///     finished, and what is left ends with `CancellationError`, in its journal as far as it came.
  ///   - progress: told evaluations and gradients of all edits, done and planned.
  ///   - finished: told the results in the order of the edits, when all of them are decoded, and each failure with them.
  ///     A result's memory is given back behind it.
  public func run(
    journals: [FileJournal?] = [], isStopped: @escaping @Sendable () -> Bool = { false },
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }, finished: Finished
  ) async {
    precondition(journals.isEmpty || journals.count == jobs.count, "\(journals.count) journals")
    if keepsNetworks {
      let limit = jobs[0].editor.memoryLimit
      NetworkShelf.current?.makeRoom(
        for: networks, leaving: limit.map { $0.bytes - peakWithAllNetworks })
    } else {
      NetworkShelf.current?.clear()
    }
    let shelf = keepsNetworks ? NetworkShelf.current : nil
    let planned = shelf == nil ? plan.peak : peakWithAllNetworks
    let pressure = jobs[0].editor.memoryLimit.map { _ in MemoryPressure(planned: planned) }
    let course = GroupCourse(self, journals: journals, isStopped: isStopped, progress: progress)
    await MemoryPressure.$current.withValue(pressure) {
      await StreamLog.$current.withValue(StreamLog()) {
        await NetworkShelf.$current.withValue(shelf) { await course.run(finished) }
      }
    }
  }
}
