import Editing
import Pictures
import Runtime

/// Several edits at one working size, of whatever methods, that go through the stages together: each network is opened
/// once for all of them, and where its weights are streamed, evaluations of all of them share a pass.
///
///     texts of all ─► conditions     pictures ─► latents     all loops side by side ─► latents     ─► pictures
///
/// A picture has the bits of the same edit alone, and one that fails leaves the others as they are.
public struct EditGroup: Sendable {
  /// In the order of the requests.
  public let jobs: [EditJob]
  /// What a run will hold in memory.
  public let plan: MemoryPlan
  let stages: EditStages

  /// Network evaluations of a run.
  public var evaluations: Int { jobs.reduce(0) { $0 + $1.evaluations } }
  /// Gradients of the network in a run.
  public var gradients: Int { jobs.reduce(0) { $0 + $1.gradients } }

  /// What a run holds where all of its networks stay open, bytes.
  package var peakWithAllNetworks: Int {
    plan.baseline + plan.held + (plan.stages.map(\.stored).max() ?? 0)
      + plan.stages.reduce(0) { $0 + $1.total - $1.stored }
  }

  var networks: [Stage] { stages.text + [stages.encoder, stages.noise, stages.decoder].compactMap { $0 } }

  /// Whether there is room for all networks at once, with their weights.
  var keepsNetworks: Bool {
    guard networks.allSatisfy(\.plan.isResident) else { return false }
    return jobs[0].editor.memoryLimit.map { peakWithAllNetworks <= $0.bytes } ?? true
  }

  /// Whether the edits' loops run side by side. Where no pass can be shared, one after the other takes less memory.
  package var runsSideBySide: Bool { stages.noise!.plan.lanes > 1 }
}

/// Why edits cannot go together.
public enum EditGroupError: Error, Equatable, CustomStringConvertible {
  /// The place of the edit in the list.
  case differs(index: Int, reason: String)

  public var description: String {
    switch self {
    case .differs(let index, let reason): "edit \(index + 1) cannot run together with the first: \(reason)"
    }
  }
}

extension Editor {
  /// Edits that go together, planned.
  ///
  /// - Throws: what `prepare` throws for one of them; `EditGroupError` for one of another working size, or with other
  ///   demands on the networks, than the first.
  /// - Precondition: there is one at least.
  public func prepare(together requests: [EditRequest]) throws -> EditGroup {
    precondition(!requests.isEmpty, "a group without an edit")
    let drafts = try requests.map { request in
      if request.learning != nil { throw EditGroupError.differs(index: 0, reason: "a LoRA is trained first") }
      return try draft(request)
    }
    let first = drafts[0].togetherness
    for (i, draft) in drafts.enumerated() {
      if let reason = draft.whyAlone { throw EditGroupError.differs(index: i, reason: reason) }
      if let reason = draft.togetherness.difference(from: first) {
        throw EditGroupError.differs(index: i, reason: reason)
      }
    }
    return try group(drafts)
  }

  /// - Throws: `RequestError.overBudget`.
  /// - Precondition: they can go together.
  func group(_ drafts: [EditDraft]) throws -> EditGroup {
    let stored = try GroupStorage(drafts, model)
    let taken = baseline + stored.held
    var refused = Refused(limit: memoryLimit)
    refused.check("read picture", taken + stored.reading)
    refused.check("write picture", taken + stored.writing)
    let runs = drafts.map { draft in
      (
        evaluations: draft.prepared.evaluations - draft.prepared.gradients,
        atOnce: max(1, draft.prepared.method.evaluationsAtOnce(draft.prepared.outline))
      )
    }
    let stages = try EditStages(
      drafts[0].size, of: self, encodesPicture: drafts.contains(where: \.encodesPicture),
      contexts: drafts[0].contexts, texts: stored.texts, demands: drafts[0].prepared.demands, translator: nil,
      lanes: runs.reduce(0) { $0 + $1.atOnce }, comparing: nil, beside: stored.beside(taken), &refused)
    let isSideBySide = stages.noise!.plan.lanes > 1
    let rounds = isSideBySide ? EvaluationRounds(runs) : EvaluationRounds(inTurn: runs)
    let gradients = drafts.reduce(0) { $0 + $1.prepared.gradients }

    var rows: [MemoryPlan.Stage] = []
    if stored.reading > 0 { rows.append(.init(name: "read picture", stored: stored.reading)) }
    rows += stages.text.map {
      .init("text", $0, stored: stored.text, in: EvaluationRounds(stored.texts, atOnce: stored.texts))
    }
    if let encoder = stages.encoder {
      let pictures = drafts.filter(\.encodesPicture).count
      rows.append(
        .init(
          "encode", encoder, stored: stored.encode, evaluations: pictures))
    }
    rows.append(
      .init(
        "denoise", stages.noise!, stored: stored.denoise, gradients: gradients,
        in: rounds))
    let handing = max(0, stored.handing - stages.decoder.plan.peakBytes)
    rows.append(
      .init(
        "decode", stages.decoder, stored: stored.decode + handing, evaluations: drafts.count))
    rows.append(.init(name: "write picture", stored: stored.writing))
    let plan = MemoryPlan(stages: rows, held: stored.held, baseline: baseline)
    return EditGroup(
      jobs: drafts.map { EditJob(editor: self, $0, plan: plan, stages: stages) }, plan: plan, stages: stages)
  }
}

/// What edits have in common that go through the same networks.
struct Togetherness: Sendable, Hashable {
  let width: Int
  let height: Int
  /// Of every prompt.
  let contexts: Int
  let demands: Int

  /// Nil where there is none.
  func difference(from other: Togetherness) -> String? {
    if (width, height) != (other.width, other.height) {
      return "it has \(width)×\(height) working pixels, not \(other.width)×\(other.height)"
    }
    if contexts != other.contexts {
      return "its prompts take \(contexts) \(contexts == 1 ? "context" : "contexts"), not \(other.contexts)"
    }
    return demands == other.demands
      ? nil : "its method asks for other values of the noise network (attention maps, floats or gradients)"
  }
}

extension EditDraft {
  var togetherness: Togetherness {
    Togetherness(
      width: size.width, height: size.height, contexts: contexts, demands: prepared.demands.rawValue)
  }

  /// Why the edit goes with no other; nil where it may.
  var whyAlone: String? {
    if request.translator != nil { return "it is translated by a network of its own" }
    if request.comparesInt8 { return "it is compared with itself in int8" }
    return nil
  }
}

/// What the edits of a group hold beside a network, in bytes.
private struct GroupStorage {
  /// From the first stage to the last: working pictures, masks, given inversions.
  let held: Int
  /// While one picture is read.
  let reading: Int
  /// Edits.
  let count: Int
  /// Sequences of ids that are encoded, each once.
  let texts: Int
  let conditions: Int
  /// A picture as Float32, on its way in or out.
  let signal: Int
  /// The methods' latents and what they record, of all.
  let latents: Int
  /// Pictures that were made and inversions that are kept.
  let results: Int
  /// While one result is written.
  let writing: Int

  /// States of the encoders, and the conditions that are made of them.
  var text: Int { 2 * conditions }
  var encode: Int { conditions + signal + latents }
  var denoise: Int { conditions + latents }
  /// A picture is copied while the decoder is there for the next.
  var decode: Int { conditions + results + (count > 1 ? signal : 0) }
  /// Of one edit: the decoder's picture, a copy of it and that in 8 bits, when the network's own memory is given back.
  var handing: Int { count > 1 ? 0 : 2 * signal + signal / 4 }

  func beside(_ taken: Int) -> BytesBeside {
    BytesBeside(
      text: taken + text, encode: taken + encode, denoise: taken + denoise, compare: taken,
      decode: taken + decode, handing: handing)
  }

  init(_ drafts: [EditDraft], _ model: Model) throws {
    func sum(_ part: (EditDraft) -> Int) -> Int { drafts.reduce(0) { $0 + part($1) } }
    func most(_ part: (EditDraft) -> Int) -> Int { drafts.map(part).max() ?? 0 }
    count = drafts.count
    held = sum(\.held)
    reading = most(\.pictures.reading)
    let (all, contexts) = (drafts.map(\.texts), drafts[0].contexts)
    texts = try model.sequences(of: all, contexts: contexts)
    let condition = contexts * model.tokens * model.unet.configuration.contextWidth * MemoryLayout<Float>.size
    conditions = (all.distinctTexts.count + (model.zeroesMissingNegative ? 1 : 0)) * condition
    signal = most(\.stored.signal)
    latents = sum(\.stored.latents)
    let working = 3 * drafts[0].size.width * drafts[0].size.height
    results = sum { $0.stored.kept + working }
    writing = most(\.pictures.writing) + results
  }
}
