import Kernels
import NeuralGraph
import Tensors

/// The values of an operand as they are stored, and the numbers that an operator reads from them.
struct StoredOperand {
  /// In the order of the checkpoint.
  let numbers: [Double]
  private let values: [Float]
  private let storage: Storage
  private let scales: [Float]
  private let pool: ThreadPool

  init(_ operand: Operand, _ storage: Storage, seed: UInt64, _ pool: ThreadPool) {
    (self.storage, self.pool) = (storage, pool)
    let count = operand.shape.reduce(1, *)
    var values = randomFloats(count, seed: seed).map { operand.center + operand.reach * $0 }
    var scales: [Float] = []
    if case .indices(let end) = operand.role {
      values = values.map { (($0 + 1) / 2 * Float(end)).rounded(.down) }
    }
    let isByte = operand.isMatrix && storage.element == .s8
    if isByte {
      if let rotation = storage.rotation {
        values.withUnsafeMutableBufferPointer {
          rotateWeight($0, checkpointShape: operand.shape, width: rotation, pool)
        }
      }
      scales = Array(repeating: 0, count: operand.shape[0])
      values.withUnsafeBufferPointer { x in
        scales.withUnsafeMutableBufferPointer { maxSizeScales(x, into: $0) }
      }
    } else if operand.isMatrix && storage.element == .f16 {
      values = values.map { Float(halfway: $0) }
    }
    (self.values, self.scales) = (values, scales)
    guard isByte else {
      numbers = values.map(Double.init)
      return
    }
    let k = count / operand.shape[0]
    let dequantized = values.indices.map { i -> Double in
      let scale = scales[i / k]
      return Double(scale) * Double((values[i] / scale).rounded(.toNearestOrEven))
    }
    numbers = storage.rotation.map { turned(dequantized, operand.shape, width: $0) } ?? dequantized
  }

  /// Writes a value of the graph that is this operand.
  func write(_ value: Value, of graph: Graph, _ operand: Operand, into memory: Memory) {
    switch graph.origin(value) {
    case .input(operand.name), .parameter(operand.name):
      if case .indices = operand.role { return memory.write(values.map { Int32($0) }) }
      memory.write(values)
    case .weight(let weight) where weight.name == operand.name: write(weight, graph.type(value), into: memory)
    case .weight(let weight) where weight.name == operand.name + ".scale": memory.write(scales)
    default: break
    }
  }

  private func write(_ weight: Weight, _ type: TensorType, into memory: Memory) {
    guard type.layout == .panels else { return memory.write(values) }
    let rows = 0..<weight.shape[0]
    switch type.element {
    case .s8:
      values.withUnsafeBufferPointer { x in
        scales.withUnsafeBufferPointer {
          packInt8Panels(x, scales: $0, checkpointShape: weight.shape, rows: rows, into: memory.bytes, pool)
        }
      }
    case .f16:
      var energies = QuantizationEnergies()
      var halves = [UInt16](repeating: 0, count: values.count)
      halves.withUnsafeMutableBufferPointer { y in
        _ = values.withUnsafeBytes {
          narrowToHalf($0, element: .f32, into: y.baseAddress!, &energies, pool)
        }
      }
      halves.withUnsafeBytes {
        packPanels($0, element: .f16, checkpointShape: weight.shape, rows: rows, into: memory.bytes, pool)
      }
    default:
      values.withUnsafeBytes {
        packPanels($0, element: .f32, checkpointShape: weight.shape, rows: rows, into: memory.bytes, pool)
      }
    }
  }
}

/// W·H of every tap, by the definition of the matrix: what W stored as W·H stands for.
private func turned(_ weight: [Double], _ shape: [Int], width: Int) -> [Double] {
  let (channels, taps) = (shape[1], shape.dropFirst(2).reduce(1, *))
  var result = weight
  for row in 0..<shape[0] {
    for tap in 0..<taps {
      for c in 0..<channels {
        let start = c / width * width
        let sum = (0..<width).reduce(0.0) { sum, j in
          let value = weight[(row * channels + start + j) * taps + tap]
          return (c % width & j).nonzeroBitCount % 2 == 0 ? sum + value : sum - value
        }
        result[(row * channels + c) * taps + tap] = sum / Double(width).squareRoot()
      }
    }
  }
  return result
}

/// Evenly distributed in −1…1 (SplitMix64).
package func randomFloats(_ count: Int, seed: UInt64) -> [Float] {
  var state = seed
  return (0..<count).map { _ in
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return Float(Int64(bitPattern: z ^ (z >> 31)) >> 40) * 0x1p-23
  }
}

extension Float {
  /// x to the next 1/1024, which is a half where |x| ≤ 1.
  fileprivate init(halfway x: Float) { self = (x * 1024).rounded() / 1024 }
}
