import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// Brings one weight after another from a checkpoint into a container, a block of rows at a time.
///
/// Holds a block of the source, the same as panels, and 16 rows of floats for every thread: a few megabytes, whatever
/// the tensor.
final class WeightPacker {
  private let writer: any WeightSink
  private let pool: ThreadPool
  private let choice: ScaleChoice
  private let memory = PackingMemory()
  /// Scales of the int8 weights so far; they are written together, behind everything else.
  private var scales: [(name: String, values: [Float])] = []

  /// Rows are read in blocks of about this many values.
  private static let blockValues = 1 << 20

  init(_ writer: any WeightSink, scales: ScaleChoice, _ pool: ThreadPool) {
    (self.writer, self.pool, choice) = (writer, pool, scales)
  }

  /// - Parameters:
  ///   - name: the weight's name in the container.
  ///   - format: what it becomes; f16 becomes f32 where a value does not fit.
  ///   - source: its name in the checkpoint.
  /// - Throws: `WeightFileError`, `CancellationError`.
  func pack(
    _ weight: Weight, as name: String, _ format: WeightFormat, from source: String, of checkpoint: Checkpoint
  ) throws -> QuantizationReport.Entry {
    let blocks = try WeightBlocks(weight, source, checkpoint, values: Self.blockValues, memory)
    do {
      return try pack(blocks, as: name, format, source, checkpoint)
    } catch is HalfOverflow {
      writer.cancelTensor()
      return try pack(blocks, as: name, WeightFormat(.f32), source, checkpoint)
    }
  }

  private func pack(
    _ blocks: WeightBlocks, as name: String, _ format: WeightFormat, _ source: String,
    _ checkpoint: Checkpoint
  ) throws -> QuantizationReport.Entry {
    let (weight, element) = (blocks.weight, format.element)
    let type = weight.type(storedAs: element)
    let start = writer.byteCount
    try writer.begin(name, StoredElement(element), Self.storedShape(type))
    var energies = QuantizationEnergies()
    switch (weight.role, element) {
    case (.matrix, .s8), (.convolution, .s8):
      let quantizer = Int8Quantizer(checkpointShape: weight.shape, choice: choice, rotation: format.rotation)
      scales.append((name, try appendInt8(blocks, quantizer, &energies)))
    case (.matrix, _), (.convolution, _): try appendPanels(blocks, element, &energies)
    case (.vector, _), (.table, _): try appendPlain(blocks, element, &energies)
    }
    writer.endTensor()
    guard energies.signal.isFinite else {
      throw WeightFileError.notFinite(file: checkpoint.label, tensor: checkpoint.ownName(of: source))
    }
    return QuantizationReport.Entry(
      name: name, shape: weight.shape, from: blocks.element.rawValue, to: element.rawValue,
      bytes: writer.byteCount - start + (element == .s8 ? 4 * weight.shape[0] : 0),
      signalToNoise: energies.rounded, rotation: format.rotation,
      activationBits: element == .s8 ? format.activations.rawValue : nil)
  }

  /// Writes the scales of all int8 weights.
  func writeScales() throws {
    for (name, values) in scales {
      try writer.begin("\(name)\(ContainerFile.scaleSuffix)", .f32, [values.count])
      try writer.append(values)
      writer.endTensor()
    }
  }

  /// A panel is a row of bytes, or of `[K, 16]` numbers; what they mean says the table of shapes.
  private static func storedShape(_ type: TensorType) -> [Int] {
    guard type.layout == .panels else { return type.shape }
    let panels = (type.shape[0] + 15) / 16
    return type.element == .s8
      ? [panels, type.byteCount / panels] : [panels, type.shape.dropFirst().reduce(1, *), 16]
  }

  // MARK: Kinds

  private func appendInt8(
    _ blocks: WeightBlocks, _ quantizer: Int8Quantizer, _ energies: inout QuantizationEnergies
  ) throws -> [Float] {
    let type = blocks.weight.type(storedAs: .s8)
    let panelBytes = type.byteCount / ((type.shape[0] + 15) / 16)
    let scratch = memory.scratch.bytes(quantizer.scratchBytes(threads: pool.threads))
    var scales = [Float](repeating: 0, count: blocks.weight.shape[0])
    try blocks.forEach { rows, source in
      try writer.append((rows.count + 15) / 16 * panelBytes) { panels in
        scales.withUnsafeMutableBufferPointer {
          quantizer.quantize(
            source, element: blocks.element, rows: rows, into: panels,
            scales: UnsafeMutableBufferPointer(rebasing: $0[rows]), energies: &energies,
            scratch: scratch.baseAddress!, pool)
        }
      }
    }
    return scales
  }

  private func appendPanels(
    _ blocks: WeightBlocks, _ element: ElementType, _ energies: inout QuantizationEnergies
  ) throws {
    let weight = blocks.weight
    let rowBytes = weight.shape.dropFirst().reduce(element.byteCount, *)
    try blocks.forEach(as: element, &energies, pool) { rows, source in
      try writer.append((rows.count + 15) / 16 * 16 * rowBytes) { panels in
        packPanels(source, element: element, checkpointShape: weight.shape, rows: rows, into: panels, pool)
      }
    }
  }

  private func appendPlain(
    _ blocks: WeightBlocks, _ element: ElementType, _ energies: inout QuantizationEnergies
  ) throws {
    try blocks.forEach(as: element, &energies, pool) { _, source in try writer.append(source) }
  }
}

extension QuantizationEnergies {
  /// In decibels, to a hundredth, as a report shows it; nil where nothing was lost.
  fileprivate var rounded: Double? {
    error > 0 && signal > 0 ? (100 * decibels).rounded() / 100 : nil
  }
}
