import Tensors

/// How far drags have come: which small drag is next or going on, the latent that it starts from, and how far down it is.
///
/// Kept under the method's name after every step, so that a journal has two latents however many drags there are. The way
/// up is not among them: that of the SDE follows from the start and the tape. Of the ODE's, which costs the network's
/// answers, every level has a name of its own, under which the next small drag's replaces it.
struct DragProgress: Sendable {
  /// Which of several drags, and which small one of it.
  private var drag = 0
  private var part = 0
  /// z
  private(set) var start: Latent
  /// Where it is on the way down, and x there; nil at its beginning.
  private(set) var reached: (level: Int, x: Latent)?
  /// y_1, y_2, … of the ODE, as many as were there when a run went on.
  private var path: [Latent] = []
  private let journal: any EditJournal
  private let method: String

  /// What the journal has of it, else the beginning.
  ///
  /// - Parameters:
  ///   - levels: K.
  ///   - keepsPath: whether the levels of the way up are kept too.
  /// - Throws: `EditError.otherProgress` for what is not of such a drag.
  init(
    from photo: Latent, _ method: String, levels: Int, keepsPath: Bool, in journal: any EditJournal
  ) async throws {
    (start, self.method, self.journal) = (photo, method, journal)
    if let kept = try await journal.progress(of: method).kept {
      guard let drag = kept.whole("drag"), let part = kept.whole("part"), let start = kept.tensors["start"],
        start.shape == photo.shape
      else { throw EditError.otherProgress(method: method) }
      (self.drag, self.part, self.start) = (drag, part, Latent(start))
      if let level = kept.whole("level") {
        guard level >= 1, level <= levels, let x = kept.tensors["x"], x.shape == photo.shape else {
          throw EditError.otherProgress(method: method)
        }
        reached = (level, Latent(x))
      }
    }
    for k in stride(from: 1, through: keepsPath ? levels : 0, by: 1) {
      let kept = try await journal.progress(of: key(k)).kept
      guard let kept, kept.whole("drag") == drag, kept.whole("part") == part, let y = kept.tensors["y"],
        y.shape == photo.shape
      else { break }
      path.append(Latent(y))
    }
  }

  private func key(_ level: Int) -> String { "\(method).path.\(level)" }
  private var place: [String: Double] { ["drag": Double(drag), "part": Double(part)] }

  /// Begins a small drag, or goes on with it.
  ///
  /// - Returns: false where it is done.
  mutating func begin(_ drag: Int, _ part: Int) -> Bool {
    if (drag, part) < (self.drag, self.part) { return false }
    (self.drag, self.part) = (drag, part)
    return true
  }

  /// y on a level of the way up, where it is there already.
  func walked(to level: Int) -> Latent? { level <= path.count ? path[level - 1] : nil }

  /// One level up.
  func walk(to level: Int, _ y: Latent) async throws {
    try await journal.keep(JournalEntry(numbers: place, tensors: ["y": y.tensor]), of: key(level))
  }

  /// One level down; from level 0 the next small drag starts.
  mutating func reach(_ level: Int, _ x: Latent) async throws {
    if level > 0 { reached = (level, x) } else { (part, start, reached, path) = (part + 1, x, nil, []) }
    var entry = JournalEntry(numbers: place, tensors: ["start": start.tensor])
    if let reached {
      entry.numbers["level"] = Double(reached.level)
      entry.tensors["x"] = reached.x.tensor
    }
    try await journal.keep(entry, of: method)
  }
}

extension JournalEntry {
  fileprivate func whole(_ name: String) -> Int? { numbers[name].flatMap(Int.init(exactly:)) }
}
