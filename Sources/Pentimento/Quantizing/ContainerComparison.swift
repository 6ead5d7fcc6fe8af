import FoundationEssentials
import WeightStorage

/// What two containers have in common, by what they say of themselves: nothing is computed, and no weight is read.
public struct ContainerComparison: Sendable, Encodable {
  /// A weight in a container.
  public struct Stored: Sendable, Encodable, Equatable {
    /// `I8`, `F16`, `F32`
    public var element: String
    /// Against the weight that it was made from, in decibels; nil where nothing was lost.
    public var signalToNoise: Double?

    enum CodingKeys: String, CodingKey {
      case element
      case signalToNoise = "snr_db"
    }
  }

  /// One of the two.
  public struct Side: Sendable, Encodable {
    public var path: String
    /// Of the file.
    public var bytes: Int
    /// What was asked for: the precision, and how the scales of int8 weights were chosen.
    public var weights: String, scales: String
    /// How many weights are stored as what.
    public var counts: [String: Int]
    /// The least signal-to-noise ratio of a weight, in decibels; nil where nothing was lost.
    public var least: Double?

    enum CodingKeys: String, CodingKey {
      case path, bytes, weights, scales, counts
      case least = "least_snr_db"
    }
  }

  /// A weight whose bytes differ; a side is nil where it has none of that name.
  public struct Difference: Sendable, Encodable {
    public var name: String
    public var first: Stored?
    public var second: Stored?
  }

  public var first: Side
  public var second: Side
  public var hasOneSource: Bool
  /// How many weights have the same bytes.
  public var equal: Int
  /// By name.
  public var differences: [Difference]

  enum CodingKeys: String, CodingKey {
    case first, second, equal, differences
    case hasOneSource = "one_source"
  }

  /// - Throws: `WeightFileError` `noHashes` for what is no container; what else a file that cannot be read is refused with.
  public init(_ first: String, _ second: String) throws {
    let sides = try [first, second].map(Description.init)
    let (ours, theirs) = (sides[0], sides[1])
    (self.first, self.second) = (ours.side, theirs.side)
    hasOneSource = ours.source == theirs.source
    equal = 0
    differences = []
    for name in Set(ours.weights.keys).union(theirs.weights.keys).sorted() {
      if let hash = ours.hashes[name], hash == theirs.hashes[name], ours.weights[name] == theirs.weights[name]
      {
        equal += 1
      } else {
        differences.append(Difference(name: name, first: ours.weights[name], second: theirs.weights[name]))
      }
    }
  }
}

/// What a container says of itself.
private struct Description {
  var side: ContainerComparison.Side
  var source: String
  var weights: [String: ContainerComparison.Stored] = [:]
  /// Of a weight and its scales.
  var hashes: [String: String] = [:]

  init(_ path: String) throws {
    let container = try Inspection.container(path)
    let file = container.file
    let (report, hashes) = try (container.table(.report), container.table(.hashes))
    let losses = Dictionary(
      uniqueKeysWithValues: try report["snr"].keys.map { ($0, try report["snr"][$0].real()) })
    source = try container.table(.provenance)["source_sha256"].string()
    for name in container.weightNames {
      weights[name] = .init(element: try file.tensor(name).element.rawValue, signalToNoise: losses[name])
      let scales = name + ContainerFile.scaleSuffix
      self.hashes[name] = try hashes[name].string() + (file[scales] == nil ? "" : hashes[scales].string())
    }
    side = .init(
      path: path, bytes: file.reader.count, weights: try report["weights"].string(),
      scales: try report["scales"].string(),
      counts: Dictionary(grouping: weights.values, by: \.element).mapValues(\.count),
      least: losses.values.min())
  }
}
