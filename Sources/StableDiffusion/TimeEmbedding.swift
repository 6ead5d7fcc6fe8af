import NeuralGraph
import Platform
import Tensors

/// The sinusoids that tell the network a number (Vaswani et al. 2017, section 3.5).
///
///     [cos(t·ω_0) … cos(t·ω_{h−1}) | sin(t·ω_0) … sin(t·ω_{h−1})],  ω_i = 10000^(−i/(h − shift)),  h = width/2
package struct Sinusoid: Equatable, Sendable {
  package var width: Int
  /// False: sines first.
  package var startsWithCosines: Bool
  package var frequencyShift: Double

  package init(width: Int, startsWithCosines: Bool = true, frequencyShift: Double = 0) {
    (self.width, self.startsWithCosines) = (width, startsWithCosines)
    self.frequencyShift = frequencyShift
  }

  /// `[1, width · values]`, one value after the other. Computed in Double: at t ≈ 1000 the argument of the
  /// fastest sinusoid, rounded to Float, is off by 3e-5.
  package func callAsFunction(_ values: [Double]) -> HostTensor {
    let half = width / 2
    let frequencies = (0..<half).map { exp(-log(10000) * Double($0) / (Double(half) - frequencyShift)) }
    let padding = Array(repeating: Float(0), count: width % 2)
    let rows = values.map { t in
      let (cosines, sines) = (frequencies.map { Float(cos(t * $0)) }, frequencies.map { Float(sin(t * $0)) })
      return (startsWithCosines ? cosines + sines : sines + cosines) + padding
    }
    return HostTensor(shape: [1, width * values.count], values: Array(rows.joined()))
  }

  package func callAsFunction(timestep: Int) -> HostTensor { self([Double(timestep)]) }

  /// Of a guidance weight w: sines first and one less in the divisor, other than for the timestep (Luo et al. 2023).
  ///
  ///     [sin φ | cos φ],   φ_i = 1000·(w − 1)·10000^(−i/(h − 1)),   h = width/2
  ///
  /// - Returns: nil for widths of which one frequency or none is left.
  package static func ofGuidance(width: Int) -> Sinusoid? {
    width >= 4 ? Sinusoid(width: width, startsWithCosines: false, frequencyShift: 1) : nil
  }

  /// `[1, width]`
  package func callAsFunction(guidance weight: Double) -> HostTensor { self([1000 * (weight - 1)]) }
}

/// From a sinusoid to what the residual blocks are told (`TimestepEmbedding` in the checkpoint).
///
///     x ── linear_1 ── silu ── linear_2 ── y
struct TimeEmbedding {
  var width: Int

  /// x `[1, C]` → `[1, width]`
  func callAsFunction(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
    let h = try g["linear_1"].linear(x, to: width)
    return try g["linear_2"].linear(g.silu(h), to: width)
  }
}
