import Kernels

/// What quantizing did to every weight.
public struct QuantizationReport: Sendable, Codable, Equatable {
  /// One weight.
  public struct Entry: Sendable, Codable, Equatable {
    /// `unet.conv_in.weight`
    public var name: String
    public var shape: [Int]
    /// What the source has.
    public var from: String
    /// What it became.
    public var to: String
    /// Bytes in the container, scales included.
    public var bytes: Int
    /// 10·log₁₀(Σ w² / Σ (w − ŵ)²) in decibels; nil where nothing was lost.
    public var signalToNoise: Double?
    /// Groups that the input channels were rotated in.
    public var rotation: Int?
    /// Bits of every value that an int8 weight is multiplied by.
    public var activationBits: Int?

    enum CodingKeys: String, CodingKey {
      case name, shape, from, to, bytes, rotation
      case activationBits = "activation_bits"
      case signalToNoise = "snr_db"
    }
  }

  public var precision: WeightPrecision
  public var scales: ScaleChoice
  public var entries: [Entry] = []
  /// Of the whole file.
  public var bytes = 0
  /// How many weights were quantized to foretell what the others lose; nil once the file is written.
  public var sampled: Int?
  /// What it took until the last byte was written, and until all of them were on disk from there on.
  public var seconds = 0.0, syncSeconds = 0.0

  enum CodingKeys: String, CodingKey {
    case precision = "weights"
    case scales, bytes, seconds, sampled
    case syncSeconds = "fsync_seconds"
    case entries = "tensors"
  }

  public init(precision: WeightPrecision, scales: ScaleChoice) {
    (self.precision, self.scales) = (precision, scales)
  }

  /// The weights that lost most, worst first.
  public func worst(_ count: Int) -> [Entry] {
    let lossy = entries.filter { $0.signalToNoise != nil }
    return Array(lossy.sorted { ($0.signalToNoise!, $0.name) < ($1.signalToNoise!, $1.name) }.prefix(count))
  }

  /// Weights, numbers and bytes of each kind of storage.
  public var totals: [(kind: String, weights: Int, numbers: Int, bytes: Int)] {
    Dictionary(grouping: entries, by: \.to).map { kind, group in
      (
        kind, group.count, group.reduce(0) { $0 + $1.shape.reduce(1, *) },
        group.reduce(0) { $0 + $1.bytes }
      )
    }.sorted { ($1.bytes, $0.kind) < ($0.bytes, $1.kind) }
  }
}
