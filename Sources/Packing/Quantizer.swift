import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// Writes a model as a container.
package struct Quantizer {
  /// A weight as the networks know it, and where it comes from.
  package struct Item {
    /// `unet`
    package var component: String
    package var weight: Weight
    /// Its name in the checkpoint.
    package var source: String
    package var checkpoint: Checkpoint

    package init(component: String, weight: Weight, source: String, checkpoint: Checkpoint) {
      (self.component, self.weight, self.source) = (component, weight, source)
      self.checkpoint = checkpoint
    }

    package var name: String { "\(component).\(weight.name)" }
  }

  package var precision: WeightPrecision
  package var scales: ScaleChoice
  /// Of those that match a weight's name the last holds, before what its layer asks for.
  package var rules: [WeightRule]
  /// Groups of input channels to rotate, by the weight's name in the container; int8 weights only.
  package var rotations: [String: Int] = [:]
  /// What the names of the weights begin with that become int8; nil for all that can.
  package var only: String?

  package init(precision: WeightPrecision, scales: ScaleChoice, rules: [WeightRule] = []) {
    (self.precision, self.scales, self.rules) = (precision, scales, rules)
  }

  /// What each weight becomes, unless sixteen bits are too narrow for it.
  package func formats(of items: [Item]) -> [WeightFormat] {
    formats(of: items.map { ($0.name, $0.weight) })
  }

  /// The same of weights by their names in the container.
  package func formats(of weights: [(name: String, weight: Weight)]) -> [WeightFormat] {
    let sensitive = SensitiveLayers(of: weights.map(\.name))
    return weights.map { name, weight in
      let rule = rules.last { $0.matches(name) }
      let asked = rule == nil ? sensitive.format(of: name) : sensitive.int8Format(of: name)
      let int8 = only.map(name.hasPrefix) == false ? WeightFormat(.f16) : asked
      var format = (rule?.precision ?? precision).format(for: weight, int8: int8)
      if format.element == .s8 { format.rotation = rotations[name] }
      return format
    }
  }

  /// What readers have to know of weights beside their shapes, as the container's metadata has it.
  package static func tables(_ weights: [(name: String, format: WeightFormat)]) -> [String: String] {
    func table(_ entry: (WeightFormat) -> Int?) -> String? {
      let entries = weights.compactMap { name, format in entry(format).map { "\"\(name)\":\($0)" } }
      return entries.isEmpty ? nil : "{\(entries.joined(separator: ","))}"
    }
    var tables: [String: String] = [:]
    tables[ContainerFile.Table.rotations.rawValue] = table(\.rotation)
    tables[ContainerFile.Table.activations.rawValue] = table {
      $0.activations == .eight ? nil : $0.activations.rawValue
    }
    return tables
  }

  /// Of all tensors that a container may have.
  func names(of items: [Item]) -> [String] {
    items.flatMap { [$0.name, $0.name + ContainerFile.scaleSuffix] }
  }

  /// Of the texts in a container's table, at most.
  func metadataBytes(_ items: [Item], _ texts: [String: String]) -> Int {
    // A text is longer in JSON, at most by a backslash for every byte; a row of the tables has at most 120 bytes.
    let tables = items.reduce(0) { $0 + 3 * $1.name.utf8.count + 250 }
    return texts.reduce(0) { $0 + $1.key.utf8.count + 2 * $1.value.utf8.count + 8 } + tables
  }

  /// - Parameters:
  ///   - items: in the order in which the networks read them.
  ///   - texts: the small files of the model, by their place in a diffusers folder.
  ///   - provenance: a JSON object.
  ///   - onWeight: told how many weights are done.
  /// - Throws: `WeightFileError`, `CancellationError`; nothing is left at `path` then.
  package func write(
    _ items: [Item], texts: [String: String], provenance: () throws -> String, to path: String,
    _ pool: ThreadPool, onWeight: (Int) -> Void
  ) throws -> QuantizationReport {
    let start = ContinuousClock.now
    let writer = try ContainerWriter(
      path: path, names: names(of: items), metadataBytes: metadataBytes(items, texts))
    let packer = WeightPacker(writer, scales: scales, pool)
    var report = QuantizationReport(precision: precision, scales: scales)
    let formats = formats(of: items)
    for (i, (item, format)) in zip(items, formats).enumerated() {
      report.entries.append(
        try packer.pack(item.weight, as: item.name, format, from: item.source, of: item.checkpoint))
      onWeight(i + 1)
    }
    try packer.writeScales()
    var metadata = texts
    let panels = zip(items, report.entries).filter {
      $0.0.weight.role == .matrix || $0.0.weight.role == .convolution
    }
    let shapes = panels.map { "\"\($1.name)\":[\($1.shape.map(String.init).joined(separator: ","))]" }
    let losses = report.entries.compactMap { entry in entry.signalToNoise.map { "\"\(entry.name)\":\($0)" } }
    metadata[ContainerFile.Table.shapes.rawValue] = "{\(shapes.joined(separator: ","))}"
    metadata.merge(Self.tables(zip(items, formats).map { ($0.name, $1) })) { $1 }
    metadata[ContainerFile.Table.report.rawValue] =
      "{\"weights\":\"\(precision.rawValue)\",\"scales\":\"\(scales.rawValue)\","
      + "\"snr\":{\(losses.joined(separator: ","))}}"
    metadata[ContainerFile.Table.provenance.rawValue] = try provenance()
    let waited = try writer.finish(metadata: metadata)
    report.bytes = writer.fileByteCount
    (report.seconds, report.syncSeconds) = (
      (start.duration(to: .now) - waited) / .seconds(1), waited / .seconds(1)
    )
    return report
  }
}
