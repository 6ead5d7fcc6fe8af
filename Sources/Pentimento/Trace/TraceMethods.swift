import Editing
import Tensors
import WeightStorage

extension TraceCase {
  /// A method with the parameters of a case, run on a bench.
  typealias MethodRun = @Sendable (TraceCase, Bench) async throws -> Void

  /// Cases of editing methods, by kind.
  static let methodKinds: [String: Run] =
    [samplingKinds, distillationKinds, conceptKinds, maskKinds].reduce(into: [:]) { kinds, family in
      for (kind, run) in family {
        kinds[kind] = { trace, model, threads, results in
          let model = try trace.adapted(model)
          let bench = try Bench(trace, Editor(model: model, threads: threads), results)
          try await run(trace, bench)
          guard bench.tape.unused.isEmpty else { throw TraceError.unusedDraws(bench.tape.unused) }
        }
      }
    }

  /// What a traced method runs on: prompts that are encoded, the recorded noise, and the network once it is
  /// asked for.
  final class Bench: Sendable {
    let tape: RecordedTape
    /// Collects what the method reports.
    let observer: EditObserver
    private let editor: Editor
    private let size: (height: Int, width: Int)
    private let results: TraceResults
    private let prompts: [String: Condition]
    private let empty: Condition
    /// Of the case's concepts, in order.
    let concepts: [Condition]

    init(_ trace: TraceCase, _ editor: Editor, _ results: TraceResults) throws {
      self.editor = editor
      self.results = results
      size = trace.imageSize
      tape = try trace.tape()
      observer = results.observer
      let keys = trace.prompts.keys
      let words = try trace.conceptSettings.map { try $0["text"].string() }
      let encoded = try editor.encode(
        keys.map { try trace.prompts[$0].string() } + words, negativePrompt: nil, width: size.width,
        height: size.height)
      prompts = Dictionary(uniqueKeysWithValues: zip(keys, encoded.prompts))
      concepts = Array(encoded.prompts.suffix(words.count))
      empty = encoded.empty
    }

    /// The condition of a prompt of the case, by its key (`source`, `target`).
    ///
    /// - Throws: `TraceError.missingPrompt`.
    func prompt(_ key: String) throws -> Condition {
      guard let condition = prompts[key] else { throw TraceError.missingPrompt(key) }
      return condition
    }

    /// Opens the noise network.
    func model(attentionMaps: Bool = false) throws -> Diffusion<NoiseNetwork> {
      let network = try editor.noiseNetwork(
        width: size.width, height: size.height, attentionMaps: attentionMaps,
        onEvaluation: { [results] in results.evaluations = $0 })
      return Diffusion(unet: network, schedule: editor.model.schedule, empty: empty)
    }
  }

  // MARK: Parameters

  func whole(_ key: String) throws -> Int { try params[key].integer() }
  func number(_ key: String) throws -> Double { try params[key].real() }

  /// A switch that a case may leave out.
  func flag(_ key: String) throws -> Bool { params[key].isPresent ? try params[key].bool() : false }

  func sampler() throws -> Sampler { try flag("sde") ? .sde : .ode }

  /// The condition of a prompt, nil where it is empty.
  func promptUnlessEmpty(_ key: String, _ bench: Bench) throws -> Condition? {
    try prompts[key].string().isEmpty ? nil : bench.prompt(key)
  }
}
