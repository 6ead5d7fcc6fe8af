import NeuralGraph
import Tensors

/// One use of an operator at one size: what goes in, how a network asks for it, and what comes out by plain loops in
/// double. The same description drives a test of the result, a test of the gradient and a row of the benchmark.
package struct OperatorCase: Sendable {
  package var name: String
  package var operands: [Operand]
  /// How its matrices may be stored; a case without any has one.
  package var storages: [Storage] = [.trained]
  package var adapters: [String: [Adapter]] = [:]
  /// How far a result and a gradient may be from the plain loops.
  package var forward: Tolerance
  package var gradient: Tolerance
  package var build: @Sendable (Scope, Operands) throws -> Value
  package var evaluate: @Sendable (Numbers) -> [Double]

  /// So many roundings of sums of terms of at most this size together.
  package struct Tolerance: Sendable {
    package var roundings: Int, size: Double

    package init(_ roundings: Int, of size: Double) { (self.roundings, self.size) = (roundings, size) }

    package var value: Double { Double(roundings) * size * 0x1p-24 }
  }
}

/// What an operator reads.
package struct Operand: Sendable {
  package enum Role: Hashable, Sendable {
    case input
    /// Rows of a table, i32.
    case indices(below: Int)
    /// A tensor of the checkpoint, called as the operand is.
    case weight(WeightRole)
  }

  package var name: String
  package var shape: [Int]
  package var role: Role
  /// Values lie evenly in center ± reach.
  package var center: Float = 0, reach: Float = 1

  /// Why there is no gradient with respect to it; nil where there is one.
  package var isRefusedBecause: String?

  static func input(_ name: String, _ shape: Int..., center: Float = 0, reach: Float = 1) -> Operand {
    Operand(name: name, shape: shape, role: .input, center: center, reach: reach)
  }

  static func vector(_ name: String, _ count: Int, center: Float = 0) -> Operand {
    Operand(name: name, shape: [count], role: .weight(.vector), center: center)
  }

  static func matrix(_ name: String, _ shape: Int...) -> Operand {
    Operand(name: name, shape: shape, role: .weight(shape.count == 2 ? .matrix : .convolution))
  }

  /// Its values in center ± reach.
  func scaled(to reach: Float) -> Operand {
    var operand = self
    operand.reach = reach
    return operand
  }

  package var isMatrix: Bool { role == .weight(.matrix) || role == .weight(.convolution) }
}

/// How the matrices of a case are stored.
package struct Storage: Hashable, Sendable, CustomStringConvertible {
  package var element: ElementType
  /// Parameters of the run instead of tensors of the checkpoint.
  package var isTrained = false
  /// Of bytes: multiplied by floats.
  package var keepsFloats = false
  /// Of bytes: width of the rotated groups.
  package var rotation: Int?
  /// Of bytes: multiplied by 16 bits.
  package var isWide = false

  package static let trained = Storage(element: .f32, isTrained: true)
  static let halves = Storage(element: .f16)
  package static let bytes = Storage(element: .s8)
  package static let wide = Storage(element: .s8, isWide: true)
  static let floatsOnBytes = Storage(element: .s8, keepsFloats: true)
  static func rotated(_ width: Int) -> Storage { Storage(element: .s8, keepsFloats: true, rotation: width) }

  package var description: String {
    if isTrained { return "trained" }
    return element.rawValue + (keepsFloats ? " times floats" : "")
      + (rotation.map { ", rotated by \($0)" } ?? "") + (isWide ? " times 16 bits" : "")
  }
}

/// The values of a case's operands in a graph, by name.
package struct Operands {
  var values: [String: Value]

  subscript(_ name: String) -> Value { values[name]! }
}

/// Their numbers, in the order of the checkpoint.
package struct Numbers {
  package var values: [String: [Double]]
  var shapes: [String: [Int]]

  package subscript(_ name: String) -> [Double] { values[name]! }
  /// The last dimension of a tensor.
  package func columns(_ name: String) -> Int { shapes[name]!.last! }
}

/// A number for the tests, odd and small, or that of Stable Diffusion 1.5 for the benchmark, or that one cut down to what
/// plain loops compute in a moment and kernels still take in several tiles.
package struct Sizes: Sendable {
  private enum Kind { case small, medium, real }
  private var kind: Kind

  package static let small = Sizes(kind: .small), medium = Sizes(kind: .medium), real = Sizes(kind: .real)

  func callAsFunction(_ small: Int, _ real: Int, medium: Int = 64) -> Int {
    switch kind {
    case .small: small
    case .medium: min(real, medium)
    case .real: real
    }
  }
}
