import Foundation
import Tensors
import WeightStorage

/// A checkpoint file that lives as long as this object.
package final class TemporaryCheckpoint {
  package let checkpoint: Checkpoint
  private let path: String

  package init(_ tensors: [String: HostTensor]) throws {
    path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors").path
    try SafetensorsWriter.write(
      tensors.mapValues { StoredTensor($0.values, shape: $0.shape) }, to: path)
    checkpoint = try Checkpoint(file: path)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension HostTensor {
  /// Reproducible values, uniform in −scale…scale.
  package static func random(_ shape: [Int], seed: UInt64, scale: Float = 1) -> HostTensor {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
    return HostTensor(
      shape: shape,
      values: (0..<shape.reduce(1, *)).map { _ in
        // SplitMix64 (Steele et al. 2014).
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        return (Float(z >> 40) / Float(1 << 23) - 1) * scale
      })
  }
}
