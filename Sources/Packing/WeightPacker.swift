import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// Brings one weight after another from a checkpoint into a container, a block of rows at a time.
///
/// Holds a block of the source, the same as floats and as panels: a few megabytes, whatever the tensor.
final class WeightPacker {
  private let writer: ContainerWriter
  private let pool: ThreadPool
  private let scaleChoice: ScaleChoice
  /// Scales of the int8 weights so far; they are written together, behind everything else.
  private(set) var scales: [(name: String, values: [Float])] = []

  /// Rows are read in blocks of about this many values.
  private static let blockValues = 1 << 20

  init(_ writer: ContainerWriter, scales: ScaleChoice, _ pool: ThreadPool) {
    (self.writer, self.pool, scaleChoice) = (writer, pool, scales)
  }

  /// - Parameters:
  ///   - name: the weight's name in the container.
  ///   - source: its name in the checkpoint.
  ///   - element: what it becomes.
  /// - Throws: `WeightFileError`, `CancellationError`.
  func pack(
    _ weight: Weight, as name: String, _ element: ElementType, rotation: Int? = nil, from source: String,
    of checkpoint: Checkpoint
  ) throws -> QuantizationReport.Entry {
    let stored = try checkpoint.element(of: source)
    // What does not fit into sixteen bits stays as it is.
    var element = element
    if element == .f16, stored != .f16, try !fitsHalf(weight, source, checkpoint) { element = .f32 }

    let type = weight.type(storedAs: element)
    let start = writer.byteCount
    try writer.begin(name, StoredElement(element), Self.storedShape(type))
    var energies = QuantizationEnergies()
    var scales: [Float] = []
    try forEachBlock(of: weight, source, checkpoint) { rows, floats, bytes in
      switch (weight.role, element) {
      case (.matrix, .s8), (.convolution, .s8):
        try appendInt8(weight, rows, floats, rotation, &scales, &energies)
      case (.matrix, _), (.convolution, _):
        try appendPanels(weight, rows, floats, element, &energies)
      case (.vector, _), (.table, _):
        try append(floats, element, &energies)
      }
    }
    writer.endTensor()
    if element == .s8 { self.scales.append(("\(name).scale", scales)) }
    return QuantizationReport.Entry(
      name: name, shape: weight.shape, from: stored.rawValue, to: element.rawValue,
      bytes: writer.byteCount - start + 4 * scales.count, signalToNoise: energies.rounded, rotation: rotation)
  }

  /// Writes the scales of all int8 weights.
  func writeScales() throws(WeightFileError) {
    for (name, values) in scales {
      try writer.begin(name, .f32, [values.count])
      try writer.append(values)
      writer.endTensor()
    }
  }

  /// Panels are one row of bytes or numbers each; what they mean says the table of shapes.
  static func storedShape(_ type: TensorType) -> [Int] {
    guard type.layout == .panels else { return type.shape }
    let panels = (type.shape[0] + 15) / 16
    return type.element == .s8
      ? [panels, type.byteCount / panels] : [panels, type.shape.dropFirst().reduce(1, *), 16]
  }

  // MARK: Blocks

  private func forEachBlock(
    of weight: Weight, _ source: String, _ checkpoint: Checkpoint,
    _ body: (Range<Int>, UnsafeMutableBufferPointer<Float>, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let element = try checkpoint.element(of: source)
    let rowCount = weight.shape.first ?? 1
    let rowValues = weight.shape.dropFirst().reduce(1, *)
    let block = min(max(Self.blockValues / max(rowValues, 1) / 16, 1) * 16, (rowCount + 15) / 16 * 16)
    let window = UnsafeMutableRawBufferPointer.allocate(
      byteCount: block * rowValues * element.byteCount, alignment: 64)
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: block * rowValues)
    defer {
      window.deallocate()
      floats.deallocate()
    }
    for start in stride(from: 0, to: rowCount, by: block) {
      try Task.checkCancellation()
      let rows = start..<min(start + block, rowCount)
      let bytes = try checkpoint.read(rows, of: source, into: window)
      convertToFloat(bytes, element: element, into: floats.baseAddress!)
      try body(rows, UnsafeMutableBufferPointer(rebasing: floats[..<(rows.count * rowValues)]), bytes)
      try checkpoint.dropCache(of: source, rows: rows)
    }
  }

  private func fitsHalf(_ weight: Weight, _ source: String, _ checkpoint: Checkpoint) throws -> Bool {
    var largest: Float = 0
    try forEachBlock(of: weight, source, checkpoint) { _, floats, _ in
      for value in floats { largest = max(largest, abs(value)) }
    }
    return largest <= Float(Float16.greatestFiniteMagnitude)
  }

  // MARK: Kinds

  private func appendInt8(
    _ weight: Weight, _ rows: Range<Int>, _ floats: UnsafeMutableBufferPointer<Float>, _ rotation: Int?,
    _ scales: inout [Float], _ energies: inout QuantizationEnergies
  ) throws {
    var blockScales = [Float](repeating: 0, count: rows.count)
    if let rotation { rotateWeight(floats, checkpointShape: weight.shape, width: rotation, pool) }
    let values = UnsafeBufferPointer(floats)
    blockScales.withUnsafeMutableBufferPointer {
      switch scaleChoice {
      case .largest: maxSizeScales(values, into: $0)
      case .leastError: leastErrorScales(values, into: $0, pool)
      }
    }
    scales += blockScales
    let type = weight.type(storedAs: .s8)
    let bytes = type.byteCount / ((weight.shape[0] + 15) / 16) * ((rows.count + 15) / 16)
    try withPanels(bytes) { panels in
      blockScales.withUnsafeBufferPointer {
        packInt8Panels(
          UnsafeBufferPointer(floats), scales: $0, checkpointShape: weight.shape, rows: rows, into: panels,
          pool)
      }
    }
    blockScales.withUnsafeBufferPointer { energies.add(values, scales: $0, pool) }
  }

  private func appendPanels(
    _ weight: Weight, _ rows: Range<Int>, _ floats: UnsafeMutableBufferPointer<Float>, _ element: ElementType,
    _ energies: inout QuantizationEnergies
  ) throws {
    let rowValues = weight.shape.dropFirst().reduce(1, *)
    let bytes = (rows.count + 15) / 16 * 16 * rowValues * element.byteCount
    if element == .f16 {
      let halves = floats.map { Float16($0) }
      energies.add(floats, halves)
      try withPanels(bytes) { panels in
        halves.withUnsafeBytes {
          packPanels($0, element: .f16, checkpointShape: weight.shape, rows: rows, into: panels, pool)
        }
      }
    } else {
      try withPanels(bytes) { panels in
        packPanels(
          UnsafeRawBufferPointer(floats), element: .f32, checkpointShape: weight.shape, rows: rows,
          into: panels, pool)
      }
    }
  }

  private func append(
    _ floats: UnsafeMutableBufferPointer<Float>, _ element: ElementType,
    _ energies: inout QuantizationEnergies
  ) throws {
    guard element == .f16 else { return try writer.append(UnsafeRawBufferPointer(floats)) }
    let halves = floats.map { Float16($0) }
    var failure: WeightFileError?
    halves.withUnsafeBytes { bytes in
      do throws(WeightFileError) { try writer.append(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
    energies.add(floats, halves)
  }

  private func withPanels(_ bytes: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) throws {
    let panels = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
    defer { panels.deallocate() }
    fill(panels)
    try writer.append(UnsafeRawBufferPointer(panels))
  }
}

extension QuantizationEnergies {
  /// Adds values that were rounded to sixteen bits.
  fileprivate mutating func add(_ floats: UnsafeMutableBufferPointer<Float>, _ halves: [Float16]) {
    for i in floats.indices {
      let lost = floats[i] - Float(halves[i])
      signal += Double(floats[i] * floats[i])
      error += Double(lost * lost)
    }
  }

  /// In decibels, to a hundredth, as a report shows it; nil where nothing was lost.
  fileprivate var rounded: Double? {
    error > 0 && signal > 0 ? (100 * decibels).rounded() / 100 : nil
  }
}
