import Editing
import Pictures
import Tensors

/// How far an edit moved the picture's latent, in its own units, of which a picture's have a standard deviation of about one:
/// free of what the autoencoder's way there and back alters.
public struct EditChange: Sendable, Codable, Equatable {
  /// Root mean square over what was to change: inside a mask, or everywhere.
  public var inside: Double
  /// The same over what was masked out; nil without a mask, or where nothing is.
  public var outside: Double?
  /// Of every point that was dragged.
  public var drags: [DragOutcome]?
  /// Share of the picture in which fine detail was given back, 0…1; nil where none was lost.
  public var detail: Double?

  /// Whether what lay at a point is where it was to come.
  public struct DragOutcome: Sendable, Codable, Equatable {
    /// `x0,y0:x1,y1` in pixels of the picture.
    public var drag: String
    /// How unlike source and target were, in the latent's unit: near 0 nothing can be told from what they are now.
    public var before: Double
    /// How unlike the source the target is now, within a cell, as a part of how unlike it was; 0 is a perfect copy.
    public var atTarget: Double
    /// How unlike itself the source is now, as a part of the same; near 0 it is still there.
    public var atSource: Double
  }
}

extension EditChange {
  /// Below this an edit failed. On the embedded model equal prompts gave 0 where a method is exact, an SDEdit of strength
  /// 0.02 gave 0.048 and three steps of DDS 0.040 to 0.060; edits that worked 0.23 to 1.6. Outside of masks, methods that
  /// obey them gave 0, LEDITS++ 0.19 to 0.55.
  package static let least = 0.07
  /// Above this the target is not what was dragged there. Drags that arrived gave 0.14 to 0.43, those that did not, by a
  /// smaller working size or square, 0.82 to 1.2.
  package static let notArrived = 0.7
  /// Below this the source still is what it was. Drags that arrived gave 0.90 to 0.99, a copy alone gives 0.
  package static let stillThere = 0.3
  /// Below this both ends of a drag looked alike before: ground and ground, sky and sky.
  package static let alike = 0.3

  /// - Parameters:
  ///   - moves: in working pixels.
  ///   - written: the same as they were given.
  package init(
    _ edited: Latent, from source: Latent, mask: Mask?, moves: [Drag.Move], written: [String],
    pixelsPerLatent: Int
  ) {
    let squares = Self.squares(edited, source)
    func root(_ cells: [Int]) -> Double? {
      cells.isEmpty ? nil : (cells.reduce(0) { $0 + squares[$1] } / Double(cells.count)).squareRoot()
    }
    let all = Array(squares.indices)
    outside = mask.flatMap { mask in root(all.filter { mask.values[$0] == 0 }) }
    inside = root(mask.map { mask in all.filter { mask.values[$0] > 0 } } ?? all) ?? 0
    guard !moves.isEmpty else { return }
    drags = zip(moves, written).map { move, written in
      let patch = LatentPatch(move, edited.width, edited.height, pixelsPerLatent)
      let before = patch.distance(source, at: \.target, source, at: \.source)
      let scale = max(before, 1e-6)
      return DragOutcome(
        drag: written, before: before,
        atTarget: patch.leastDistance(edited, at: \.target, source, at: \.source) / scale,
        atSource: patch.distance(edited, at: \.source, source, at: \.source) / scale)
    }
  }

  /// Mean square over the channels of every cell.
  private static func squares(_ a: Latent, _ b: Latent) -> [Double] {
    let channels = a.values.count / (a.height * a.width)
    return (0..<a.height * a.width).map { cell in
      var sum = 0.0
      for i in cell * channels..<(cell + 1) * channels {
        let difference = Double(a.values[i] - b.values[i])
        sum += difference * difference
      }
      return sum / Double(channels)
    }
  }

  /// Where nothing was changed, 1; where something was, and in the cells beside it, 0.
  static func unchanged(_ edited: Latent, from source: Latent) -> Mask {
    let (height, width) = (edited.height, edited.width)
    let weights = squares(edited, source).map { Float(min(max((0.5 - $0.squareRoot()) / 0.3, 0), 1)) }
    var mask = Mask(height: height, width: width, repeating: 0)
    for y in 0..<height {
      for x in 0..<width {
        var least: Float = 1
        for j in max(y - 1, 0)...min(y + 1, height - 1) {
          for i in max(x - 1, 0)...min(x + 1, width - 1) { least = min(least, weights[j * width + i]) }
        }
        mask[y, x] = least
      }
    }
    return mask
  }

  /// What the caller should know, with what to try.
  ///
  /// - Parameters:
  ///   - takes: settings of the method.
  ///   - putsBack: whether the original was put back where it was masked out.
  package func notes(takes: Set<String>, putsBack: Bool) -> [String] {
    var notes: [String] = []
    let remedies = [
      ("strength", "more strength"), ("skip", "less skip"), ("cfg-scale", "more cfg-scale"),
      ("concept-scale", "more concept-scale"), ("iterations", "more iterations"),
    ].filter { takes.contains($0.0) }.map(\.1)
    let remedy = (remedies + ["a prompt that says the difference"]).joined(separator: ", ")
    if inside < Self.least {
      notes.append("The edit changed almost nothing: try \(remedy).")
    }
    if let outside, outside >= Self.least, !putsBack {
      notes.append(
        "The edit changed what is masked out too: put the original back there, or use a method "
          + "that obeys masks.")
    }
    for outcome in drags ?? [] where outcome.before >= Self.alike {
      if outcome.atTarget > Self.notArrived {
        notes.append(
          "What was to be dragged by \(outcome.drag) did not arrive: try a shorter way, a LoRA of the picture, or a mask "
            + "around both ends.")
      } else if outcome.atSource < Self.stillThere {
        notes.append(
          "What was dragged by \(outcome.drag) is also still where it was: try less source-scale, or a mask around both "
            + "ends.")
      }
    }
    return notes
  }
}

/// Cells around the two points of a drag, as far as both lie in the latent.
private struct LatentPatch {
  let source: (x: Int, y: Int)
  let target: (x: Int, y: Int)
  private let offsets: [(Int, Int)]

  init(_ move: Drag.Move, _ width: Int, _ height: Int, _ pixelsPerLatent: Int) {
    let s = (x: move.source.x / pixelsPerLatent, y: move.source.y / pixelsPerLatent)
    let t = (x: move.target.x / pixelsPerLatent, y: move.target.y / pixelsPerLatent)
    (source, target) = (s, t)
    func lies(_ p: (x: Int, y: Int), _ dx: Int, _ dy: Int) -> Bool {
      (0..<width).contains(p.x + dx) && (0..<height).contains(p.y + dy)
    }
    offsets = (-2...2).flatMap { dy in (-2...2).map { ($0, dy) } }.filter {
      lies(s, $0.0, $0.1) && lies(t, $0.0, $0.1)
    }
  }

  /// The least over places of `first` up to a cell away: a way of a cell and a half is as good as one of two.
  func leastDistance(
    _ a: Latent, at first: KeyPath<LatentPatch, (x: Int, y: Int)>, _ b: Latent,
    at second: KeyPath<LatentPatch, (x: Int, y: Int)>
  ) -> Double {
    var least = distance(a, at: first, b, at: second)
    let p = self[keyPath: first]
    for dy in -1...1 {
      for dx in -1...1 {
        let fits = offsets.allSatisfy { x, y in
          (0..<a.width).contains(p.x + dx + x) && (0..<a.height).contains(p.y + dy + y)
        }
        if fits { least = min(least, distance(a, at: first, b, at: second, shifted: (dx, dy))) }
      }
    }
    return least
  }

  func distance(
    _ a: Latent, at first: KeyPath<LatentPatch, (x: Int, y: Int)>, _ b: Latent,
    at second: KeyPath<LatentPatch, (x: Int, y: Int)>, shifted shift: (x: Int, y: Int) = (0, 0)
  ) -> Double {
    var (p, q) = (self[keyPath: first], self[keyPath: second])
    (p.x, p.y) = (p.x + shift.x, p.y + shift.y)
    let channels = a.values.count / (a.height * a.width)
    var sum = 0.0
    for (dx, dy) in offsets {
      let (i, j) = ((p.y + dy) * a.width + p.x + dx, (q.y + dy) * b.width + q.x + dx)
      for c in 0..<channels {
        let difference = Double(a.values[i * channels + c] - b.values[j * channels + c])
        sum += difference * difference
      }
    }
    return (sum / Double(max(offsets.count, 1) * channels)).squareRoot()
  }
}
