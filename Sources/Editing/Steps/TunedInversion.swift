import Tensors

/// A method that inverts by tuning what the network is told, and samples with what it found.
///
///     y_0 … y_N by DDIM inversion  ─►  c_N … c_1 by `ContextTuning`  ─►  sampling from y_N
///
/// Gradients need floats, and the embeddings undo the errors of the arithmetic that they were tuned in, so all of it
/// runs in floats, edits from a saved inversion too.
///
/// Its journal has, under the method's name, `.path` the states of the inversion, nothing more the tuning, and
/// `.edit` how far the sampling is.
protocol TunedInversion: InvertingMethod {
  var steps: Int { get }
  var guidance: Double { get }
  /// J: updates of an embedding on one level, at most.
  var innerSteps: Int { get }
  /// Which prediction's embedding is tuned.
  static var tunedSide: ContextTuning.Side { get }
}

extension TunedInversion {
  public static var keepsProgress: Bool { true }
  public static var usesEmbeddings: Bool { true }

  public func gradients(_ outline: EditOutline) -> Int {
    outline.inversion == .given
      ? 0 : ContextTuning.gradients(innerSteps, levels: steps, Self.tunedSide, Guidance(guidance))
  }

  public func demands(_ outline: EditOutline) -> NetworkDemands {
    gradients(outline) > 0 ? [.floats, .contextGradient] : .floats
  }

  /// N to invert, per level the fixed and the tuned prediction and one evaluation for every gradient, and the edit. A
  /// level that stops early makes less.
  public func evaluations(_ outline: EditOutline) -> Int {
    let sampling = steps * Guidance(guidance).evaluations
    return outline.inversion == .given ? sampling : steps + sampling + gradients(outline) + sampling
  }

  /// The path, the embeddings, and what Adam and a mix of two embeddings take beside.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    let embedding = outline.contextValues * MemoryLayout<Float>.size
    return outline.inversion == .given
      ? embedding : bytes(steps + 1, height, width, channels) + (steps + 6) * embedding
  }

  /// y_0 … y_N: the photo inverted with one prompt, or with the model's empty one.
  func invertedPath(
    _ source: Latent, from prompt: Condition, _ guidance: Guidance, on grid: SamplingGrid,
    in context: EditContext
  ) async throws -> [Latent] {
    let (key, journal) = (name + ".path", context.journal)
    let known = try await journal.progress(of: key).appended.compactMap { $0.tensors["y"].map { Latent($0) } }
    let path = try await context.diffusion.ddimInversion(
      source, from: prompt, guidance: guidance, levels: steps, on: grid, method: name, known: known
    ) { y in
      try await journal.append(JournalEntry(tensors: ["y": y.tensor]), to: key)
    }
    for y in path { context.observer("inverted", y) }
    return path
  }

  /// The inversion that tuning leaves.
  func tuned(
    _ tuning: ContextTuning, along path: [Latent], on grid: SamplingGrid, _ outline: EditOutline,
    in context: EditContext
  ) async throws -> Inversion {
    var inversion = newInversion(outline, states: [0: path[0], steps: path[steps]])
    inversion.embeddings = try await tuning.run(along: path, on: grid, in: context)
    inversion.pooled = tuning.start.pooled
    context.observer.inverted(inversion)
    return inversion
  }

  /// Samples from y_N, told on every level what `conditions` says of the tuned embedding.
  func sample(
    _ inversion: Inversion, on grid: SamplingGrid, in context: EditContext,
    told conditions: (Condition) -> (conditional: Condition, unconditional: Condition),
    like target: Condition
  ) async throws -> Latent {
    let (key, observer) = (name + ".edit", context.observer)
    var run =
      try await DescentProgress(context.journal.progress(of: key).kept)
      ?? DescentProgress(k: 0, z: inversion.state(steps))
    while run.k < steps {
      let (level, step) = (steps - run.k, grid.transition(from: steps - run.k))
      let tuned = Condition(
        context: try inversion.embedding(level, like: target.context), pooled: inversion.pooled,
        timeIDs: target.timeIDs)
      let told = conditions(tuned)
      let eps = try await context.diffusion.guided([
        GuidedQuery(
          run.z, timestep: step.timestep, told.conditional, Guidance(guidance), over: told.unconditional)
      ])[0]
      run = DescentProgress(k: run.k + 1, z: try step.mean(run.z, eps, eta: 0).checked(name, step: run.k + 1))
      observer("traj", run.z)
      try await context.journal.keep(run.entry, of: key)
    }
    observer("out", run.z)
    return run.z
  }
}
