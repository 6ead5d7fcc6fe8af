import FoundationEssentials
import Kernels
import Packing
import WeightStorage

/// How a model is written as a container.
public struct QuantizationRequest: Sendable {
  public var precision: WeightPrecision
  public var scales: ScaleChoice
  /// Side of the square pictures that the model was trained on, in pixels; nil for what the model says.
  public var nativeSize: Int?
  /// What some weights become; of those that match a name the last holds.
  public var rules: [WeightRule] = []

  /// Groups of input channels to rotate, by the name of an int8 weight in the container; `Model.calibrate` finds them.
  public var rotations: [String: Int] = [:]

  public init(precision: WeightPrecision, scales: ScaleChoice = .search) {
    (self.precision, self.scales) = (precision, scales)
  }
}

extension Model {
  /// Writes the model as a container, which the runtime maps and computes from.
  ///
  /// Weights are the networks' own lists, in the order in which they are read, so none can be missed or invented;
  /// configurations are written from what was understood of them, so that a model makes the same container whatever
  /// layout it came in.
  ///
  /// - Parameter onWeight: told how many weights of how many are done.
  /// - Throws: `WeightFileError`, `RequestError`, `CancellationError`; nothing is left at `url` then.
  public func quantize(
    to url: URL, _ request: QuantizationRequest, threads: Int, onWeight: (Int, Int) -> Void = { _, _ in }
  ) throws -> QuantizationReport {
    try quantize(to: url, request, ThreadPool(threads: threads), onWeight: onWeight)
  }

  /// The same, on these threads with their kernels.
  package func quantize(
    to url: URL, _ request: QuantizationRequest, _ pool: ThreadPool,
    onWeight: (Int, Int) -> Void = { _, _ in }
  ) throws -> QuantizationReport {
    try check(request)
    let items = try packingList()
    let quantizer = Quantizer(request)
    let hash = try SourceHash(weightFiles)
    let report = try quantizer.write(
      items, texts: texts(nativeSize: request.nativeSize),
      provenance: { provenance(sourceHash: try hash.value()) }, to: url.path, pool
    ) { onWeight($0, items.count) }
    ContainerFile.rememberWritten(url.path)
    return report
  }

  /// What `quantize` would write, without writing it: sizes, and what a sample of the weights loses.
  ///
  /// - Parameters:
  ///   - sample: how many int8 weights are read and quantized.
  ///   - onWeight: told how many of them are done.
  /// - Throws: `WeightFileError`, `RequestError`, `CancellationError`.
  public func forecast(
    _ request: QuantizationRequest, sample: Int = 24, threads: Int,
    onWeight: (Int, Int) -> Void = { _, _ in }
  ) throws -> QuantizationReport {
    try check(request)
    return try Quantizer(request).forecast(
      packingList(), texts: texts(nativeSize: request.nativeSize), sample: sample,
      ThreadPool(threads: threads),
      onWeight: onWeight)
  }

  /// Where the weights come from and what wrote the container; of the same length for every source.
  private func provenance(sourceHash: String) -> String {
    "{\"source_sha256\":\"\(sourceHash)\",\"tool\":\"pentimento \(programVersion)\"}"
  }

  /// What can be known before any work is done.
  ///
  /// - Throws: `alreadyPacked` where weights come from a container, `RequestError.noWeight` for a rule
  ///   that no weight has a name for.
  func check(_ request: QuantizationRequest) throws {
    for file in components.flatMap(\.checkpoint.files) where file.mapping != nil {
      throw WeightFileError.alreadyPacked(file: file.reader.path)
    }
    let names = try packingList().map(\.name)
    for rule in request.rules where rule.pattern.isEmpty || !names.contains(where: rule.matches) {
      throw RequestError.noWeight(named: rule.pattern)
    }
  }
}

extension Quantizer {
  init(_ request: QuantizationRequest) {
    self.init(precision: request.precision, scales: request.scales, rules: request.rules)
    rotations = request.rotations
  }
}
