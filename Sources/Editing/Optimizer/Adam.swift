import Tensors

/// Adam, and with a weight decay AdamW (Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2):
///
///     θ ← θ·(1 − lr·wd)                                  decoupled from the gradient, and first
///     m ← β₁·m + (1 − β₁)·g;   v ← β₂·v + (1 − β₂)·g²
///     θ ← θ − lr·(m/(1 − β₁ᵏ))/(√(v/(1 − β₂ᵏ)) + ε),     k = 1, 2, …
///
/// The state is kept in Floats, a step is computed in Doubles: squares of gradients of 10⁻²⁰ count as they are until
/// they are stored. The first step of a value is lr·sign(g) where |g| is far above ε.
package struct Adam: Sendable, Equatable {
  package var learningRate: Double
  package var weightDecay: Double
  /// k: steps taken.
  package private(set) var steps = 0
  /// m and v by the values' names; none before the first step.
  private var first: [String: HostTensor] = [:]
  private var second: [String: HostTensor] = [:]

  private static let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8)

  package init(learningRate: Double, weightDecay: Double = 0) {
    (self.learningRate, self.weightDecay) = (learningRate, weightDecay)
  }

  /// Moves every value along its gradient.
  ///
  /// - Parameters:
  ///   - loss: of which these are the gradients.
  ///   - step: of the method, counted from 1, for the error.
  /// - Throws: `EditError.gradientNotFinite` before anything is changed.
  package mutating func step(
    _ values: inout [String: HostTensor], _ gradients: [String: HostTensor], loss: Double, method: String,
    step: Int
  ) throws(EditError) {
    guard loss.isFinite, gradients.values.allSatisfy(\.isFinite) else {
      throw .gradientNotFinite(method: method, step: step)
    }
    steps += 1
    for name in values.keys {
      guard let gradient = gradients[name], gradient.shape == values[name]!.shape else {
        preconditionFailure("no gradient of the shape of \(name)")
      }
      let zeros = HostTensor(shape: gradient.shape)
      update(
        &values[name]!.values, gradient.values, &first[name, default: zeros].values,
        &second[name, default: zeros].values)
    }
  }

  /// One tensor's step.
  private func update(_ theta: inout [Float], _ gradient: [Float], _ m: inout [Float], _ v: inout [Float]) {
    let (beta1, beta2) = (Self.beta1, Self.beta2)
    let (correction1, correction2) = (1 - power(beta1, steps), 1 - power(beta2, steps))
    let kept = 1 - learningRate * weightDecay
    let (rate, epsilon, count) = (learningRate, Self.epsilon, theta.count)
    // Pointers: checked subscripts of four arrays keep this loop from being vectorized.
    theta.withUnsafeMutableBufferPointer { theta in
      m.withUnsafeMutableBufferPointer { m in
        v.withUnsafeMutableBufferPointer { v in
          gradient.withUnsafeBufferPointer { gradient in
            for i in 0..<count {
              let g = Double(gradient[i])
              let mean = beta1 * Double(m[i]) + (1 - beta1) * g
              let square = beta2 * Double(v[i]) + (1 - beta2) * g * g
              let move = (mean / correction1) / ((square / correction2).squareRoot() + epsilon)
              theta[i] = Float(Double(theta[i]) * kept - rate * move)
              (m[i], v[i]) = (Float(mean), Float(square))
            }
          }
        }
      }
    }
  }

  /// baseᵏ by squaring: the same bits on every machine.
  private func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, square, rest) = (1.0, base, exponent)
    while rest > 0 {
      if rest % 2 == 1 { result *= square }
      square *= square
      rest /= 2
    }
    return result
  }
}

// MARK: In a journal

extension Adam {
  /// Adds its state to an entry: k, and `m.{name}` and `v.{name}` of every value.
  package func write(to entry: inout JournalEntry) {
    entry.numbers["adam.k"] = Double(steps)
    for (name, tensor) in first { entry.tensors["m.\(name)"] = tensor }
    for (name, tensor) in second { entry.tensors["v.\(name)"] = tensor }
  }

  /// Takes up the state of an entry.
  package mutating func read(_ entry: JournalEntry, names: some Sequence<String>) {
    guard let k = entry.numbers["adam.k"].flatMap(Int.init(exactly:)) else { return }
    steps = k
    for name in names {
      first[name] = entry.tensors["m.\(name)"]
      second[name] = entry.tensors["v.\(name)"]
    }
  }
}
