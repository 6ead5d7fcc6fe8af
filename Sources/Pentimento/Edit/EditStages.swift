import Editing
import Pictures

/// The networks of one edit, in the order in which they run, each within what the limit leaves it.
struct EditStages: Sendable {
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
  ///   - texts: that are encoded.
  ///   - lanes: evaluations that are asked for at once.
  ///   - method: that is compared with itself in int8; nil for none.
  ///   - bytes: what lies beside a network.
  ///   - refused: what does not fit already.
  /// - Throws: `RequestError.overBudget`, `RequestError.int8Idle`.
  init(
    _ size: Extent, of editor: Editor, encodesPicture: Bool, texts: Int, demands: NetworkDemands,
    translator: Translator?, lanes: Int, comparing method: String?, beside bytes: Int,
    _ refused: inout Refused
  ) throws {
    let model = editor.model
    var stages = Stages(
      model: model, threads: editor.threads, budget: refused.limit.map { $0.bytes - bytes })
    stages.speed = editor.knownSpeed
    let (width, height) = (size.width, size.height)
    let translates = demands.contains(.translator)
    text =
      translates
      ? []
      : try model.textEncoders.indices.compactMap { i in
        try refused.planned(beside: bytes) { try stages.textEncoder(i, lanes: texts) }
      }
    encoder =
      encodesPicture
      ? try refused.planned(beside: bytes) { try stages.encoder(width: width, height: height) } : nil
    noise =
      translates
      ? nil
      : try refused.planned(beside: bytes) {
        try stages.noise(width: width, height: height, demands: demands, lanes: lanes)
      }
    translation = try translator.flatMap { translator in
      try refused.planned(beside: bytes) {
        try stages.stage("translate", of: translator.component, NetworkSize(width: width, height: height))
      }
    }
    int8 = try method.flatMap {
      try Self.int8(size, of: $0, demands: demands, lanes: lanes, stages, beside: bytes, &refused)
    }
    let decoder = try refused.planned(beside: bytes) { try stages.decoder(width: width, height: height) }
    if let worst = refused.worst { throw worst }
    self.decoder = decoder!
  }
}

/// The stages that do not fit: the one that needs most is told, so that what is asked for is enough for all of them.
struct Refused {
  let limit: MemoryLimit?
  private(set) var worst: RequestError?
  private var most = 0

  init(limit: MemoryLimit?) { self.limit = limit }

  /// - Parameter needed: bytes of the whole process.
  mutating func check(_ stage: String, _ needed: Int) {
    guard let limit, needed > limit.bytes, needed > most else { return }
    most = needed
    worst = .overBudget(stage: stage, needed: needed, budget: limit.bytes, limitedBy: limit.source)
  }

  /// A stage, nil where it does not fit beside the other bytes.
  mutating func planned(beside bytes: Int, _ plan: () throws -> Stage) throws -> Stage? {
    do {
      return try plan()
    } catch RequestError.overBudget(let stage, let needed, _, _) {
      check(stage, needed + bytes)
      return nil
    }
  }
}
