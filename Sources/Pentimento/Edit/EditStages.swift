import Editing
import Pictures

/// The networks of one edit, in the order in which they run, each within what the limit leaves it.
struct EditStages: Sendable {
  /// That every prompt takes, or is padded to.
  let contexts: Int
  /// One for every text encoder; none where nothing is denoised.
  let text: [Stage]
  /// Nil where there is no picture to encode.
  let encoder: Stage?
  /// What turns the latent into another: one of the two.
  let noise: Stage?
  let translation: Stage?
  /// The noise network in int8, where an edit in floats is to be compared with it.
  let int8: Stage?
  let decoder: Stage

  /// - Parameters:
  ///   - size: pixels at which the networks work.
  ///   - contexts: of every prompt.
  ///   - texts: sequences of ids that are encoded.
  ///   - lanes: evaluations that are asked for at once.
  ///   - method: that is compared with itself in int8; nil for none.
  ///   - beside: what lies beside the networks.
  ///   - refused: what does not fit already.
  /// - Throws: `RequestError.overBudget`, `RequestError.int8Idle`.
  init(
    _ size: Extent, of editor: Editor, encodesPicture: Bool, contexts: Int, texts: Int,
    demands: NetworkDemands, translator: Translator?, lanes: Int, comparing method: String?,
    beside: BytesBeside, _ refused: inout Refused
  ) throws {
    self.contexts = contexts
    let (limit, before, model) = (refused.limit, refused.needed, editor.model)
    func stages(beside bytes: Int) -> Stages {
      var stages = Stages(
        model: model, threads: editor.threads, budget: limit.map { $0.bytes - bytes })
      stages.speed = editor.knownSpeed
      return stages
    }
    let (width, height) = (size.width, size.height)
    let translates = demands.contains(.translator)
    text =
      translates
      ? []
      : try model.textEncoders.indices.compactMap { i in
        try refused.planned(beside: beside.text) {
          try stages(beside: beside.text).textEncoder(i, lanes: texts)
        }
      }
    encoder =
      encodesPicture
      ? try refused.planned(beside: beside.encode) {
        try stages(beside: beside.encode).encoder(width: width, height: height)
      } : nil
    noise =
      translates
      ? nil
      : try refused.planned(beside: beside.denoise) {
        try stages(beside: beside.denoise).noise(
          width: width, height: height, contexts: contexts, demands: demands, lanes: lanes)
      }
    translation = try translator.flatMap { translator in
      try refused.planned(beside: beside.denoise) {
        try stages(beside: beside.denoise).stage(
          "translate", of: translator.component, NetworkSize(width: width, height: height))
      }
    }
    int8 = try method.flatMap {
      try Self.int8(
        size, of: $0, contexts: contexts, demands: demands, lanes: lanes, stages(beside: beside.compare),
        beside: beside.compare,
        &refused)
    }
    refused.check("decode", beside.decode + beside.handing)
    let decoder = try refused.planned(beside: beside.decode) {
      try stages(beside: beside.decode).decoder(width: width, height: height)
    }
    if let worst = refused.worst {
      throw model.activations == .f16
        ? worst
        : worst.withHalves {
          // Within no memory at all every stage says what it needs.
          var least = Refused(limit: MemoryLimit(bytes: 0, source: .caller), needed: before)
          let halves = Editor(editor, model: model.computing(activations: .f16))
          _ = try? EditStages(
            size, of: halves, encodesPicture: encodesPicture, contexts: contexts, texts: texts,
            demands: demands,
            translator: translator, lanes: lanes, comparing: method, beside: beside, &least)
          return least.needed
        }
    }
    self.decoder = decoder!
  }
}

extension RequestError {
  /// With the least that would do in halves, where that is less.
  fileprivate func withHalves(_ least: () -> Int) -> RequestError {
    // What no picture of a network is part of needs as much in halves.
    guard case .overBudget(let stage, let needed, let budget, let source, _) = self,
      ["encode", "denoise", "decode"].contains(stage), case let halves = least(), halves < needed
    else { return self }
    return .overBudget(stage: stage, needed: needed, budget: budget, limitedBy: source, inHalves: halves)
  }
}

/// What lies beside the networks of an edit, each in its turn, and while the decoder's picture is handed on; bytes.
struct BytesBeside: Sendable {
  var text: Int
  var encode: Int
  var denoise: Int
  var compare: Int
  var decode: Int
  /// The decoder's picture, a copy of it, and that in 8 bits, when the network's own memory is given back.
  var handing: Int
}

/// The stages that do not fit: the one that needs most is told, so that what is asked for is enough for all of them.
struct Refused {
  let limit: MemoryLimit?
  private(set) var worst: RequestError?
  private var most = 0
  /// Of all that was checked, what needs most.
  private(set) var needed = 0

  /// - Parameter needed: of what has been checked.
  init(limit: MemoryLimit?, needed: Int = 0) { (self.limit, self.needed) = (limit, needed) }

  /// - Parameter needed: bytes of the whole process.
  mutating func check(_ stage: String, _ needed: Int) {
    self.needed = max(self.needed, needed)
    guard let limit, needed > limit.bytes, needed > most else { return }
    most = needed
    worst = .overBudget(stage: stage, needed: needed, budget: limit.bytes, limitedBy: limit.source)
  }

  /// A stage, nil where it does not fit beside the other bytes.
  mutating func planned(beside bytes: Int, _ plan: () throws -> Stage) throws -> Stage? {
    do {
      return try plan()
    } catch RequestError.overBudget(let stage, let needed, _, _, _) {
      check(stage, needed + bytes)
      return nil
    }
  }
}
