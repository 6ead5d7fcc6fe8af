import Synchronization
import Tensors

/// A noise predictor whose answers a journal keeps, and which hands them out again where a run goes on: any method
/// that does the same with the same answers then ends with the same bits, and has nothing to do for it.
///
/// One list of queries is one entry, with the timesteps that were asked for, so that answers to another run are not
/// taken for this one's. For one run, whose lists come one after the other.
package final class RecordedAnswers: NoisePredictor {
  private let base: any NoisePredictor
  private let journal: any EditJournal
  private let method: String
  /// Lists that the journal had at the start.
  private let known: Int
  /// Lists that were answered, by the journal or by the network.
  private let answered = Mutex(0)

  /// - Parameter method: under whose name the journal keeps them.
  package init(_ base: any NoisePredictor, in journal: any EditJournal, method: String) async throws {
    (self.base, self.journal, self.method) = (base, journal, method)
    known = try await journal.count(of: Self.key(method))
  }

  private static func key(_ method: String) -> String { method + ".answers" }

  /// - Throws: `EditError.otherProgress` where the journal is that of another run.
  package func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
    let place = answered.withLock { answered in
      defer { answered += 1 }
      return answered
    }
    if place < known {
      let recorded = try await journal.entry(place, of: Self.key(method))
      guard let answers = recorded.answers(to: queries) else { throw EditError.otherProgress(method: method) }
      return answers
    }
    let answers = try await base.predict(queries)
    try await journal.append(JournalEntry(answers, to: queries), to: Self.key(method))
    return answers
  }
}

extension JournalEntry {
  fileprivate init(_ answers: [NoisePrediction], to queries: [NoiseQuery]) {
    self.init()
    for (i, (answer, query)) in zip(answers, queries).enumerated() {
      numbers["timestep.\(i)"] = Double(query.timestep)
      tensors["noise.\(i)"] = answer.noise.tensor
      tensors["attention.\(i)"] = answer.attention
    }
  }

  /// Nil where they answer something else.
  fileprivate func answers(to queries: [NoiseQuery]) -> [NoisePrediction]? {
    guard numbers.count == queries.count else { return nil }
    var answers: [NoisePrediction] = []
    for (i, query) in queries.enumerated() {
      guard numbers["timestep.\(i)"] == Double(query.timestep), let noise = tensors["noise.\(i)"],
        noise.shape == query.latent.shape
      else { return nil }
      answers.append(NoisePrediction(noise: Latent(noise), attention: tensors["attention.\(i)"]))
    }
    return answers
  }
}

extension EditingMethod {
  /// Runs the method so that it can go on after a break, whatever method it is: with a journal that keeps something,
  /// the same inputs and the same tape a run that was broken ends with the bits of the unbroken one.
  public func resumableRun(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    guard !Self.keepsProgress, !(context.journal is NoJournal) else {
      return try await run(inputs, in: context)
    }
    var context = context
    context.diffusion.unet = try await RecordedAnswers(
      context.diffusion.unet, in: context.journal, method: name)
    return try await run(inputs, in: context)
  }
}
