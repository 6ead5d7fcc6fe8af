import Editing
import Runtime
import Synchronization
import Tensors

/// One run of a group: what has become of each edit so far.
final class GroupCourse: Sendable {
  private let group: EditGroup
  private let journals: [FileJournal?]
  private let isStopped: @Sendable () -> Bool
  private let progress: @Sendable (Int, Int) -> Void
  private let clock = ContinuousClock.now
  private let members: [Member]

  /// What an edit has come to.
  final class Member: Sendable {
    struct State {
      var read: EditPictures.Prepared?
      var inputs: EditInputs?
      /// The picture's latent.
      var source: Latent?
      var empty: Condition?
      var cut: [String] = []
      var remarks: Remarks?
      var latent: Latent?
      var work = NetworkWork()
      var working: Picture?
      var failure: (any Error)?
    }
    let index: Int
    let job: EditJob
    let state = Mutex(State())

    init(_ index: Int, _ job: EditJob) { (self.index, self.job) = (index, job) }

    var isWell: Bool { state.withLock { $0.failure == nil } }
    func fail(_ error: any Error) {
      state.withLock { state in
        if state.failure == nil { state.failure = error }
      }
    }
  }

  init(
    _ group: EditGroup, journals: [FileJournal?], isStopped: @escaping @Sendable () -> Bool,
    progress: @escaping @Sendable (Int, Int) -> Void
  ) {
    (self.group, self.journals, self.isStopped, self.progress) = (group, journals, isStopped, progress)
    members = group.jobs.enumerated().map { Member($0, $1) }
  }

  private var well: [Member] { members.filter(\.isWell) }
  private func journal(_ member: Member) -> FileJournal? {
    journals.isEmpty ? nil : journals[member.index]
  }

  /// An error that is not one edit's is every edit's that has not ended.
  func run(_ finished: EditGroup.Finished) async {
    do {
      let thread = try NetworkThread()
      stage("read picture")
      try await thread.run { try self.group.jobs[0].editor.model.verify() }
      for member in members { await own(member) { try await self.read(member, on: thread) } }
      try await encodeTexts(on: thread)
      try await encodePictures(on: thread)
      try await denoise(on: thread)
      try await decode(on: thread)
    } catch {
      for member in well { member.fail(error) }
    }
    for member in members { await tell(member, finished) }
  }

  /// What concerns one edit alone.
  private func own(_ member: Member, _ work: () async throws -> Void) async {
    do {
      try checkGoesOn()
      try await work()
    } catch { member.fail(error) }
  }

  private func stage(_ name: String) { RunWatch.current?.stage(name) }

  private func checkGoesOn() throws {
    try Task.checkCancellation()
    if isStopped() { throw CancellationError() }
  }

  private func read(_ member: Member, on thread: NetworkThread) async throws {
    let job = member.job
    let read = try await thread.run { try job.pictures.read() }
    try job.request.inversion?.check(read.picture)
    try await journal(member)?.tie(to: job.identity(read))
    member.state.withLock { $0.read = read }
  }

  private func encodeTexts(on thread: NetworkThread) async throws {
    let well = well
    guard let first = well.first else { return }
    try checkGoesOn()
    stage("text")
    let (encoder, size) = (first.job.promptEncoder, first.job.workingSize)
    let texts = well.map(\.job.request.texts)
    let encoded = try await thread.run {
      try encoder.encode(texts, width: size.width, height: size.height)
    }
    for (member, prompts) in zip(well, encoded) {
      member.state.withLock { state in
        let read = state.read!
        state.inputs = member.job.inputs(read, prompts)
        (state.empty, state.cut) = (prompts.empty, prompts.cut)
        state.remarks = Remarks(
          mask: read.mask, keepsInversion: member.job.request.keepsInversion,
          notes: read.notes + member.job.notes)
      }
    }
  }

  private func encodePictures(on thread: NetworkThread) async throws {
    let waiting = well.filter { member in
      member.state.withLock { $0.inputs!.inversion == nil && $0.read!.picture != nil }
    }
    guard let first = waiting.first else { return }
    try checkGoesOn()
    stage("encode")
    let pictures = waiting.map { member in member.state.withLock { $0.read!.picture! } }
    let latents = try await first.job.codec(on: thread).encode(pictures)
    for (member, latent) in zip(waiting, latents) {
      switch latent {
      case .success(let latent): member.state.withLock { $0.inputs!.source = latent }
      case .failure(let error): member.fail(error)
      }
    }
  }

  // MARK: The noise network

  /// The network lives as long as this call.
  private func denoise(on thread: NetworkThread) async throws {
    let well = well
    guard let first = well.first else { return }
    try checkGoesOn()
    stage("denoise")
    let total = group.evaluations + group.gradients
    let (stage, editor, progress) = (group.stages.noise!, first.job.editor, progress)
    let expected = NetworkWork(evaluations: group.evaluations, gradients: group.gradients)
    let network = try await thread.run {
      try NoiseNetwork(
        stage, model: editor.model, pool: editor.pool, on: thread, expecting: expected
      ) { progress($0.total, total) }
    }
    if group.runsSideBySide {
      await denoiseSideBySide(well, network, on: thread)
    } else {
      for member in well {
        let before = await network.work
        await own(member) { try await self.loop(member, over: network, deriving: network, on: thread) }
        let after = await network.work
        member.state.withLock {
          $0.work = NetworkWork(
            evaluations: after.evaluations - before.evaluations,
            gradients: after.gradients - before.gradients)
        }
      }
    }
    StreamLog.current?.add("denoise", await network.traffic)
    await network.putBack(stage)
  }

  private func denoiseSideBySide(
    _ members: [Member], _ network: NoiseNetwork, on thread: NetworkThread
  ) async {
    let gatherer = PassGatherer(runs: members.count)
    let isStopped = isStopped
    await withTaskGroup(of: Void.self) { tasks in
      for (run, member) in members.enumerated() {
        tasks.addTask {
          let count = EvaluationCount()
          await self.own(member) {
            try await self.loop(
              member, over: SharedPredictor(gatherer: gatherer, run: run, count: count), deriving: nil,
              on: thread)
          }
          member.state.withLock { $0.work.evaluations = count.value }
          await gatherer.leave(run)
        }
      }
      tasks.addTask { await gatherer.drive(network, isStopped: isStopped) }
    }
  }

  /// The method's loop, with what it needs of the edit; its inputs are let go behind it.
  private func loop(
    _ member: Member, over unet: any NoisePredictor, deriving derivative: (any NoiseDerivative)?,
    on thread: NetworkThread
  ) async throws {
    let job = member.job
    let (inputs, empty, remarks) = member.state.withLock { ($0.inputs!, $0.empty!, $0.remarks!) }
    var context = EditContext(
      diffusion: Diffusion(
        unet: StoppingPredictor(base: unet, isStopped: isStopped), schedule: job.editor.model.schedule,
        empty: empty),
      codec: job.codec(on: thread), tape: SeededTape(seed: job.seed), observer: remarks.observer,
      journal: journal(member) ?? NoJournal())
    if job.prepared.demands.contains(.contextGradient), let derivative {
      context.derivative = StoppingDerivative(base: derivative, isStopped: isStopped)
    }
    let latent = try await job.loop(inputs, in: context)
    member.state.withLock { state in
      state.latent = latent
      state.source = inputs.source
      state.inputs = nil
    }
  }

  // MARK: Results

  private func decode(on thread: NetworkThread) async throws {
    let well = well
    guard let first = well.first else { return }
    try checkGoesOn()
    stage("decode")
    let latents = well.map { member in member.state.withLock { $0.latent! } }
    let pictures = try await first.job.codec(on: thread).decode(latents)
    for (member, picture) in zip(well, pictures) {
      switch picture {
      case .success(let picture): member.state.withLock { $0.working = picture }
      case .failure(let error): member.fail(error)
      }
    }
  }

  private func tell(_ member: Member, _ finished: EditGroup.Finished) async {
    let state = member.state.withLock { state in
      defer { state = Member.State() }
      return state
    }
    let result: Result<EditResult, any Error>
    if let error = state.failure {
      await journal(member)?.leave()
      result = .failure(error)
    } else {
      let (job, remarks) = (member.job, state.remarks!)
      let made = EditJob.Products(
        read: state.read!, source: state.source, latent: state.latent!, working: state.working!)
      result = Result {
        var result = try job.result(made, remarks) { change in
          job.report(
            state.work, int8Decibels: nil, cut: state.cut, remarks, change,
            seconds: (ContinuousClock.now - clock).seconds, together: members.count)
        }
        result.record = try job.record()
        return result
      }
    }
    await finished(member.index, result)
  }
}
