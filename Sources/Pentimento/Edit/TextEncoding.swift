import Editing
import Kernels
import NeuralGraph
import Packing
import Runtime
import StableDiffusion
import Tensors

/// Prompts as the noise network reads them.
package struct EncodedPrompts {
  /// In the order asked for.
  package var prompts: [Condition]
  /// What guidance points away from.
  package var empty: Condition
  /// The same where zeros stand for it, encoded.
  package var encodedEmpty: Condition
  /// Parts of prompts that did not fit.
  package var cut: [String]
}

/// The states of one text encoder for one prompt: of k contexts of L tokens `[k·L, width]`, by their weights
/// (`Tokenizer.chunks`).
package struct TextStates {
  package var lastHiddenState: HostTensor
  package var penultimate: HostTensor
  package var pooled: HostTensor?
  /// See `Condition`.
  var wordRows: [Range<Int>]
  var removed: String?
}

/// Runs the text encoders of a model, each as planned.
struct PromptEncoder {
  let model: Model
  let pool: ThreadPool
  /// One for every text encoder.
  let stages: [Stage]
  /// That every prompt takes, or is padded to.
  var contexts = 1

  /// The prompts of one edit.
  struct Texts: Sendable {
    var prompts: [String]
    /// nil: the model's own rule, the empty prompt, or zeros where the model says so.
    var negativePrompt: String?
    var syntax = PromptSyntax.plain

    /// Everything that is encoded for them.
    var all: [PromptText] {
      (prompts + [negativePrompt ?? ""]).map { PromptText(text: $0, syntax: syntax) }
    }
  }

  /// Encodes prompts; the networks' memory is given back before this returns.
  ///
  /// - Parameter negativePrompt: see `Texts`.
  func encode(
    _ texts: [String], negativePrompt: String?, width: Int, height: Int
  ) throws -> EncodedPrompts {
    try encode([Texts(prompts: texts, negativePrompt: negativePrompt)], width: width, height: height)[0]
  }

  /// Encodes the prompts of several edits, each text once.
  func encode(_ edits: [Texts], width: Int, height: Int) throws -> [EncodedPrompts] {
    let texts = edits.distinctTexts
    let states = try stages.indices.map { try self.states(of: texts, encoder: $0) }
    var conditions: [PromptText: Condition] = [:]
    for (i, text) in texts.enumerated() {
      conditions[text] = condition(states.map { $0[i] }, width: width, height: height)
    }
    let cut = Dictionary(uniqueKeysWithValues: zip(texts, states[0].map(\.removed)))
    return edits.map { edit in
      let told = edit.all.map { conditions[$0]! }
      let encodedEmpty = told.last!
      var empty = encodedEmpty
      if edit.negativePrompt == nil, model.zeroesMissingNegative {
        empty.context = HostTensor(shape: empty.context.shape)
        empty.pooled = empty.pooled.map { HostTensor(shape: $0.shape) }
      }
      return EncodedPrompts(
        prompts: Array(told.dropLast()), empty: empty, encodedEmpty: encodedEmpty,
        cut: edit.all.compactMap { cut[$0]! })
    }
  }

  /// What one encoder makes of plain texts.
  func states(of texts: [String], encoder index: Int) throws -> [TextStates] {
    try states(of: texts.map { PromptText(text: $0) }, encoder: index)
  }

  /// What one encoder makes of every text. Sequences of ids that several have, as the padding, are encoded once.
  private func states(of texts: [PromptText], encoder index: Int) throws -> [TextStates] {
    let (part, stage) = (model.textEncoders[index], stages[index])
    let executor = try NetworkShelf.executor(of: stage, pool)
    defer {
      StreamLog.current?.add(stage.name, executor.traffic)
      NetworkShelf.keep(executor, of: stage)
    }
    let configuration = part.encoder.configuration
    let encodings = try texts.map { try model.chunks(of: $0, encoder: index) }
    let empty = try part.tokenizer().emptyChunk(maxLength: configuration.tokens)
    let chunks = encodings.map { encoding in
      precondition(encoding.chunks.count <= contexts, "\(encoding.chunks.count) contexts, not \(contexts)")
      return encoding.chunks + Array(repeating: empty, count: contexts - encoding.chunks.count)
    }
    var places: [[Int32]: Int] = [:]
    var sequences: [[Int32]] = []
    for chunk in chunks.joined() where places[chunk.ids] == nil {
      try configuration.check(ids: chunk.ids)
      places[chunk.ids] = sequences.count
      sequences.append(chunk.ids)
    }
    func query(_ ids: [Int32], adapterScale: Float = 1) -> [String: HostTensor] {
      [
        "ids": HostTensor(shape: [ids.count], values: ids.map(Float.init)),
        Adapter.scaleName: HostTensor(shape: [1], values: [adapterScale]),
      ]
    }
    let outputs = try executor.run(sequences.map { query($0) })
    for (ids, out) in zip(sequences, outputs) where !out.values.allSatisfy(\.isFinite) {
      if !model.adapters.isEmpty,
        try executor.run([query(ids, adapterScale: 0)])[0].values.allSatisfy(\.isFinite)
      {
        throw LoRAError.overflow(files: model.adapters)
      }
      throw ModelError.notFinite(part: stage.weights.label)
    }
    return zip(encodings, chunks).map { encoding, chunks in
      let states = chunks.map { outputs[places[$0.ids]!] }
      func weighted(_ name: String) -> HostTensor {
        .stacked(states.map { $0[name]! }, by: chunks.map(\.weights))
      }
      let end = configuration.endPosition(in: chunks[0].ids)
      return TextStates(
        lastHiddenState: weighted("states"), penultimate: weighted("penultimate"),
        pooled: states[0]["projections"].map { $0.row(end) },
        wordRows: chunks.enumerated().map { i, chunk in
          let first = i * configuration.tokens + 1
          return first..<first + chunk.tokenCount
        }, removed: encoding.removed)
    }
  }

  /// One encoder: its normed last states. Two: the states before the last block side by side, with the second
  /// one's pooled vector and the picture's size (Podell et al. 2024, section 2).
  private func condition(_ states: [TextStates], width: Int, height: Int) -> Condition {
    guard states.count == 2 else {
      return Condition(context: states[0].lastHiddenState, wordRows: states[0].wordRows)
    }
    let sides = [height, width, 0, 0, height, width].map(Float.init)
    return Condition(
      context: states[0].penultimate.joined(states[1].penultimate), pooled: states[1].pooled,
      timeIDs: HostTensor(shape: [1, 6], values: sides), wordRows: states[0].wordRows)
  }
}

extension [PromptEncoder.Texts] {
  /// Each once, in the order in which they come.
  var distinctTexts: [PromptText] {
    var seen: Set<PromptText> = []
    return flatMap(\.all).filter { seen.insert($0).inserted }
  }
}

extension Model {
  /// Models with two encoders say whether a missing negative prompt is encoded or stands for zeros.
  var zeroesMissingNegative: Bool {
    textEncoders.count == 2
      && (try? files.json("model_index.json")["force_zeros_for_empty_prompt"].bool()) == true
  }
}

extension HostTensor {
  /// Row `index` of `[rows, C]`, as `[1, C]`.
  fileprivate func row(_ index: Int) -> HostTensor {
    let c = shape[1]
    return HostTensor(shape: [1, c], values: Array(values[index * c..<(index + 1) * c]))
  }

  /// k times `[rows, C]`, one below the other, each row by its weight → `[k·rows, C]`.
  fileprivate static func stacked(_ tensors: [HostTensor], by weights: [[Float]]) -> HostTensor {
    let (rows, c) = (tensors[0].shape[0], tensors[0].shape[1])
    var stacked = HostTensor(shape: [tensors.count * rows, c], values: tensors.flatMap(\.values))
    for (row, weight) in weights.joined().enumerated() where weight != 1 {
      for i in row * c..<(row + 1) * c { stacked.values[i] *= weight }
    }
    return stacked
  }

  /// `[rows, A]` and `[rows, B]` → `[rows, A + B]`.
  fileprivate func joined(_ other: HostTensor) -> HostTensor {
    let (a, b) = (shape[1], other.shape[1])
    var rows: [Float] = []
    for i in 0..<shape[0] {
      rows += values[i * a..<(i + 1) * a]
      rows += other.values[i * b..<(i + 1) * b]
    }
    return HostTensor(shape: [shape[0], a + b], values: rows)
  }
}
