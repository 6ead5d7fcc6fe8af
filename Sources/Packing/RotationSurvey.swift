import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// Finds the layers whose input channels are worth rotating before they are quantized, from activations of the
/// original model.
///
/// A row of activations shares one scale, so one channel that is far larger than the others leaves them few of the
/// 255 steps; so does a large weight in its row. A rotation spreads both. What it changes is measured, not guessed:
/// rows of activations and of the weight are quantized with and without, and a layer is rotated if the noise that
/// both put into its output, relative to the output, falls by `gain` at least. (A rotation costs time in every
/// evaluation, and small gains drown in the other layers' noise.)
package struct RotationSurvey {
  /// A layer's activations and weight, each quantized after a rotation by each width; 1 is none.
  private struct Layer {
    var activations: [Int: QuantizationEnergies] = [:]
    var weight: [Int: QuantizationEnergies] = [:]
  }

  /// What a rotation gains at least, in decibels.
  static let gain = 1.0
  private static let widths = [16, 64, 256]
  /// Rows looked at of every tensor.
  private static let rows = 64

  private var layers: [String: Layer] = [:]
  private let pool: ThreadPool

  package init(_ pool: ThreadPool) { self.pool = pool }

  /// Looks at the rows that go into a layer with a weight in panels; other nodes are passed over.
  ///
  /// - Parameters:
  ///   - inputs: of the node.
  ///   - name: the weight's name in the container.
  /// - Throws: `WeightFileError`
  package mutating func look(
    at inputs: [TensorRef], weight: Weight, as name: String, stored: StoredWeight
  ) throws {
    let channels = weight.shape[1]
    let widths = Self.widths.filter { canRotate(channels: channels, width: $0) }
    guard !widths.isEmpty else { return }
    var layer = layers[name] ?? Layer()
    if layer.weight.isEmpty {
      let values = try sample(of: weight, stored)
      for width in [1] + widths {
        layer.weight[width] = energies(values, shape: weight.shape, width: width)
      }
    }
    let rows = inputs[0].sampledRows(Self.rows)
    for width in [1] + widths {
      let energies = energies(rows, shape: [rows.count / channels, channels], width: width)
      layer.activations[width, default: QuantizationEnergies()].signal += energies.signal
      layer.activations[width]!.error += energies.error
    }
    layers[name] = layer
  }

  /// The widths of the layers that gain, and by how many decibels.
  package var choices: [String: (width: Int, gain: Double)] {
    layers.compactMapValues { layer in
      let noise = layer.activations.keys.map { width in
        (width, layer.activations[width]!.relative + layer.weight[width]!.relative)
      }
      guard let plain = noise.first(where: { $0.0 == 1 })?.1,
        let (width, least) = noise.min(by: { ($0.1, $0.0) < ($1.1, $1.0) }), least > 0
      else { return nil }
      let gain = QuantizationEnergies(signal: plain, error: least).decibels
      return width > 1 && gain >= Self.gain ? (width, gain) : nil
    }
  }

  /// Some whole rows of a weight, from its start.
  private func sample(of weight: Weight, _ stored: StoredWeight) throws -> [Float] {
    let rows = min(Self.rows, weight.shape[0])
    let count = rows * weight.shape.dropFirst().reduce(1, *)
    let element = stored.format.element
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: count * element.byteCount, alignment: 64)
    defer { window.deallocate() }
    let bytes = try stored.read(0..<rows, into: window)
    return [Float](unsafeUninitializedCapacity: count) { floats, filled in
      convertToFloat(bytes, element: element, into: floats.baseAddress!)
      filled = count
    }
  }

  /// What quantizing rows with a scale each loses after a rotation.
  private func energies(_ rows: [Float], shape: [Int], width: Int) -> QuantizationEnergies {
    var (rows, energies) = (rows, QuantizationEnergies())
    let count = rows.count / max(shape.dropFirst().reduce(1, *), 1)
    guard count > 0 else { return energies }
    rows.withUnsafeMutableBufferPointer { values in
      if width > 1 { rotateWeight(values, checkpointShape: [count] + shape.dropFirst(), width: width, pool) }
      withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { scales in
        maxSizeScales(UnsafeBufferPointer(values), into: scales, pool)
        energies.add(UnsafeBufferPointer(values), scales: UnsafeBufferPointer(scales), pool)
      }
    }
    return energies
  }
}

extension QuantizationEnergies {
  /// Error per signal.
  fileprivate var relative: Double { signal > 0 ? error / signal : 0 }

  fileprivate init(signal: Double, error: Double) {
    self.init()
    (self.signal, self.error) = (signal, error)
  }
}
