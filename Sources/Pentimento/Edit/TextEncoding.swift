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

/// The states of one text encoder for one prompt.
package struct TextStates {
  package var lastHiddenState: HostTensor
  package var penultimate: HostTensor
  package var pooled: HostTensor?
  var tokenCount: Int
  var removed: String?
}

/// Runs the text encoders of a model, each as planned.
struct PromptEncoder {
  let model: Model
  let pool: ThreadPool
  /// One for every text encoder.
  let stages: [Stage]

  /// The prompts of one edit.
  struct Texts: Sendable {
    var prompts: [String]
    /// nil: the model's own rule, the empty prompt, or zeros where the model says so.
    var negativePrompt: String?

    /// Everything that is encoded for them.
    var all: [String] { prompts + [negativePrompt ?? ""] }
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
    var conditions: [String: Condition] = [:]
    for (i, text) in texts.enumerated() {
      conditions[text] = condition(states.map { $0[i] }, width: width, height: height)
    }
    let cut = Dictionary(uniqueKeysWithValues: zip(texts, states[0].map(\.removed)))
    return edits.map { edit in
      let encodedEmpty = conditions[edit.negativePrompt ?? ""]!
      var empty = encodedEmpty
      if edit.negativePrompt == nil, model.zeroesMissingNegative {
        empty.context = HostTensor(shape: empty.context.shape)
        empty.pooled = empty.pooled.map { HostTensor(shape: $0.shape) }
      }
      return EncodedPrompts(
        prompts: edit.prompts.map { conditions[$0]! }, empty: empty, encodedEmpty: encodedEmpty,
        cut: edit.all.compactMap { cut[$0]! })
    }
  }

  /// What one encoder makes of every text.
  func states(of texts: [String], encoder index: Int) throws -> [TextStates] {
    let (part, stage) = (model.textEncoders[index], stages[index])
    let executor = try NetworkShelf.executor(of: stage, pool)
    defer {
      StreamLog.current?.add(stage.name, executor.traffic)
      NetworkShelf.keep(executor, of: stage)
    }
    let encodings = try texts.map { text in
      let encoding = try part.tokenizer().encode(text, maxLength: part.encoder.configuration.tokens)
      try part.encoder.configuration.check(ids: encoding.ids)
      return encoding
    }
    func query(_ ids: [Int32], adapterScale: Float = 1) -> [String: HostTensor] {
      [
        "ids": HostTensor(shape: [ids.count], values: ids.map(Float.init)),
        Adapter.scaleName: HostTensor(shape: [1], values: [adapterScale]),
      ]
    }
    let outputs = try executor.run(encodings.map { query($0.ids) })
    return try zip(encodings, outputs).map { encoding, out in
      guard out.values.allSatisfy(\.isFinite) else {
        if !model.adapters.isEmpty,
          try executor.run([query(encoding.ids, adapterScale: 0)])[0].values.allSatisfy(\.isFinite)
        {
          throw LoRAError.overflow(files: model.adapters)
        }
        throw ModelError.notFinite(part: stage.weights.label)
      }
      let end = part.encoder.configuration.endPosition(in: encoding.ids)
      return TextStates(
        lastHiddenState: out["states"]!, penultimate: out["penultimate"]!,
        pooled: out["projections"].map { $0.row(end) }, tokenCount: encoding.tokenCount,
        removed: encoding.removed)
    }
  }

  /// One encoder: its normed last states. Two: the states before the last block side by side, with the second
  /// one's pooled vector and the picture's size (Podell et al. 2024, section 2).
  private func condition(_ states: [TextStates], width: Int, height: Int) -> Condition {
    guard states.count == 2 else {
      return Condition(context: states[0].lastHiddenState, tokenCount: states[0].tokenCount)
    }
    let sides = [height, width, 0, 0, height, width].map(Float.init)
    return Condition(
      context: states[0].penultimate.joined(states[1].penultimate), pooled: states[1].pooled,
      timeIDs: HostTensor(shape: [1, 6], values: sides), tokenCount: states[0].tokenCount)
  }
}

extension [PromptEncoder.Texts] {
  /// Each once, in the order in which they come.
  var distinctTexts: [String] {
    var seen: Set<String> = []
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
