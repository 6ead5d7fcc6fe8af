import Editing
import Pentimento
import Tensors
import WeightStorage

extension TraceCase {
  /// Runs a case of an editing method; which one and with which values, the methods' own tables say.
  ///
  /// - Returns: false for a kind that no method of the list knows.
  func runMethod(
    _ model: Model, threads: Int, among methods: [any EditingMethod.Type], _ results: TraceResults
  ) async throws -> Bool {
    let candidates = methods.filter { $0.knows(caseKind: kind) }
    guard !candidates.isEmpty else { return false }
    var outline = try outline()
    outline.kind = model.kind
    // A kind that serves two methods is the one with concepts where there are some.
    let type =
      candidates.first { $0.about.needs.contains(.concepts) != outline.concepts.isEmpty } ?? candidates[0]
    let method = try method(type, outline)
    let bench = try Bench(self, Editor(model: adapted(model), threads: threads), results)
    _ = try await method.run(inputs(outline, bench), in: bench.context(method.demands(outline)))
    guard bench.tape.unused.isEmpty else { throw TraceError.unusedDraws(bench.tape.unused) }
    return true
  }

  /// The mask alone, of which DiffEdit makes its edit.
  func runMaskFinder(_ model: Model, threads: Int, _ results: TraceResults) async throws {
    let outline = try outline()
    var finder = DiffEditMask()
    for row in DiffEditMask.parameters {
      try told { () throws(CaseFault) in try row.read(into: &finder, value) }
    }
    let bench = try Bench(self, Editor(model: adapted(model), threads: threads), results)
    let inputs = try inputs(outline, bench)
    guard let source = inputs.sourceCondition else { throw TraceError.missingPrompt("source") }
    guard let target = inputs.targetCondition else { throw TraceError.missingPrompt("target") }
    _ = try await finder(latent("x0"), from: source, to: target, in: bench.context())
    guard bench.tape.unused.isEmpty else { throw TraceError.unusedDraws(bench.tape.unused) }
  }

  /// The method with the case's values; a key that nothing reads is refused, since another implementation heeded it.
  private func method(_ type: any EditingMethod.Type, _ outline: EditOutline) throws -> any EditingMethod {
    let known = type.caseKeys.union(Self.otherKeys)
    if let key = params.keys.first(where: { !known.contains($0) }) { throw TraceError.unknownKey(key) }
    for (need, key) in [(MethodSummary.Need.sourcePrompt, "source"), (.targetPrompt, "target")]
    where type.about.needs.contains(need) && prompt(key) == nil {
      throw TraceError.missingPrompt(key)
    }
    if try toldGuidance != nil, !outline.kind.isToldGuidance { throw EditError.guidanceNotHeard }
    return try told { () throws(CaseFault) in try type.of(caseKind: kind, outline, value)! }
  }

  /// Keys that the inputs, the schedule or the model answer, or that repeat what the kind says.
  private static let otherKeys: Set = [
    "concepts", "scheduler", "mask", "source_px", "target_px", "lora", "rank", "use_dds",
    "original", "timesteps", "noise_timesteps",
  ]

  private func value(_ key: String) -> SettingValue? {
    switch params[key].value {
    case .integer(let value)?: .number(Double(value))
    case .real(let value)?: .number(value)
    case .bool(let value)?: .flag(value)
    case .string(let value)?: .word(value)
    default: nil
    }
  }

  /// A fault in a value, said of the case's file.
  private func told<Result>(_ read: () throws(CaseFault) -> Result) throws -> Result {
    do { return try read() } catch { throw params[error.key].wrong(error.expected) }
  }

  // MARK: Inputs

  /// The text under a key of the case's prompts; the prompt of a drag has a key of its own.
  func prompt(_ key: String) -> String? {
    for name in key == "target" ? [key, "prompt"] : [key] where prompts[name].isPresent {
      return try? prompts[name].string()
    }
    return nil
  }

  private func outline() throws -> EditOutline {
    var outline = EditOutline()
    outline.hasPicture = inputs["x0"] != nil
    (outline.prompt, outline.sourcePrompt) = (prompt("target"), prompt("source"))
    outline.concepts = try concepts()
    outline.hasMask = hasMask
    if params["source_px"].isPresent {
      outline.moves = try zip(points("source_px"), points("target_px")).map(Drag.Move.init(from:to:))
    }
    return outline
  }

  private func inputs(_ outline: EditOutline, _ bench: Bench) throws -> EditInputs {
    var made = EditInputs(outline, height: imageSize.height / 8, width: imageSize.width / 8)
    if outline.hasPicture { made.source = try latent("x0") }
    (made.targetCondition, made.sourceCondition) = (bench.target, bench.source)
    made.encodedEmpty = bench.encodedEmpty
    made.conceptConditions = bench.concepts
    if outline.hasMask { made.mask = try mask("mask") }
    return made
  }

  /// A mask among the inputs counts unless the case says that it does not.
  private var hasMask: Bool { inputs["mask"] != nil && value("mask") != .flag(false) }

  /// Concepts as the case describes them; none where it has no such list.
  private func concepts() throws -> [ConceptRequest] {
    guard params["concepts"].isPresent else { return [] }
    return try params["concepts"].elements().map { settings in
      guard let direction = Concept.Direction(rawValue: try settings["direction"].integer()) else {
        throw settings["direction"].wrong("1 or -1")
      }
      let cooldown = settings["cooldown"].isPresent ? try settings["cooldown"].integer() : nil
      return ConceptRequest(
        try settings["text"].string(),
        Concept(
          scale: try settings["scale"].real(), direction: direction,
          warmup: try settings["warmup"].integer(), cooldown: cooldown,
          threshold: try settings["threshold"].real()))
    }
  }

  /// Points `[x, y]` in pixels.
  private func points(_ key: String) throws -> [Drag.Point] {
    try params[key].elements().map { point in
      let numbers = try point.integers()
      guard numbers.count == 2 else { throw point.wrong("[x, y]") }
      return Drag.Point(x: numbers[0], y: numbers[1])
    }
  }
}

extension EditingMethod {
  fileprivate static func knows(caseKind kind: String) -> Bool { caseKinds[kind] != nil }
}

/// What a traced method runs on: prompts that are encoded, the recorded noise, and the network.
private final class Bench {
  let tape: RecordedTape
  let target: Condition?
  let source: Condition?
  /// Of the case's concepts, in order.
  let concepts: [Condition]
  private let trace: TraceCase
  private let editor: Editor
  private let results: TraceResults
  private let empty: Condition
  let encodedEmpty: Condition

  init(_ trace: TraceCase, _ editor: Editor, _ results: TraceResults) throws {
    (self.trace, self.editor, self.results) = (trace, editor, results)
    tape = try trace.tape()
    let (target, source) = (trace.prompt("target"), trace.prompt("source"))
    let words =
      trace.params["concepts"].isPresent
      ? try trace.params["concepts"].elements().map { try $0["text"].string() } : []
    let encoded = try editor.encode(
      [target, source].compactMap { $0 } + words, negativePrompt: nil, width: trace.imageSize.width,
      height: trace.imageSize.height)
    self.target = target.map { _ in encoded.prompts[0] }
    self.source = source.map { _ in encoded.prompts[target == nil ? 0 : 1] }
    concepts = Array(encoded.prompts.suffix(words.count))
    (empty, encodedEmpty) = (encoded.empty, encoded.encodedEmpty)
  }

  /// Opens the noise network.
  func context(_ demands: NetworkDemands = []) throws -> EditContext {
    let network = try editor.noiseNetwork(
      width: trace.imageSize.width, height: trace.imageSize.height, demands: demands,
      onEvaluation: { [results] in results.evaluations = $0.evaluations })
    let diffusion = Diffusion(
      unet: network, schedule: try trace.noiseSchedule(of: editor.model), empty: empty)
    var context = EditContext(
      diffusion: diffusion, codec: editor.codec, tape: tape, observer: results.observer())
    if demands.contains(.contextGradient) { context.derivative = network }
    return context
  }
}
