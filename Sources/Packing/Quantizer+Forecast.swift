import Kernels
import NeuralGraph
import Tensors
import WeightStorage

extension Quantizer {
  /// What `write` would make: the file's size, and what some of the weights would lose. Nothing is written; sizes follow
  /// from shapes, and only the sample is read.
  ///
  /// - Parameters:
  ///   - items, texts: as `write` takes them.
  ///   - provenance: as long as what `write` would be given.
  ///   - sample: how many int8 weights are quantized to see what they lose, spread over the model.
  ///   - onWeight: told how many of how many are done.
  /// - Returns: a report in which only weights of the sample have a signal-to-noise ratio. A weight whose values are too
  ///   large for sixteen bits is fp32 in the file, which only shows when it is read.
  /// - Throws: `WeightFileError`, `CancellationError`.
  package func forecast(
    _ items: [Item], texts: [String: String], sample: Int, _ pool: ThreadPool,
    onWeight: (Int, Int) -> Void
  ) throws -> QuantizationReport {
    let start = ContinuousClock.now
    let formats = formats(of: items)
    var report = QuantizationReport(precision: precision, scales: scales)
    let packer = WeightPacker(CountingSink(), scales: scales, pool)
    let int8 = items.indices.filter { formats[$0].element == .s8 && items[$0].weight.isPanels }
    let count = min(sample, int8.count)
    // From the middle of as many equal parts.
    let chosen = Set(
      (0..<count).map { (part: Int) -> Int in int8[(2 * part + 1) * int8.count / (2 * count)] })
    var (end, done) = (0, 0)
    func place(_ bytes: Int) {
      let alignment = ContainerFile.alignment
      end = (end + alignment - 1) / alignment * alignment + bytes
    }
    for (i, (item, format)) in zip(items, formats).enumerated() {
      let before = end
      place(item.weight.type(storedAs: format.element).byteCount)
      let isInt8 = format.element == .s8
      let scaleBytes = isInt8 ? 4 * item.weight.shape[0] : 0
      var entry = QuantizationReport.Entry(
        name: item.name, shape: item.weight.shape,
        from: try item.checkpoint.element(of: item.source).rawValue,
        to: format.element.rawValue, bytes: end - before + scaleBytes,
        signalToNoise: nil, rotation: format.rotation,
        activationBits: isInt8 ? format.activations.rawValue : nil)
      if chosen.contains(i) {
        entry.signalToNoise =
          try packer.pack(item.weight, as: item.name, format, from: item.source, of: item.checkpoint)
          .signalToNoise
        done += 1
        onWeight(done, chosen.count)
      }
      report.entries.append(entry)
    }
    for entry in report.entries where entry.to == ElementType.s8.rawValue { place(4 * entry.shape[0]) }
    report.bytes =
      ContainerWriter.capacity(names: names(of: items), metadataBytes: metadataBytes(items, texts)) + end
    report.sampled = chosen.count
    report.seconds = start.duration(to: .now) / .seconds(1)
    return report
  }
}

extension Weight {
  fileprivate var isPanels: Bool { role == .matrix || role == .convolution }
}
