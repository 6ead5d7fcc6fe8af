extension Latent {
  /// Σ coefficientᵢ·latentᵢ, computed in Double in the order given and rounded once.
  ///
  /// The step rules of every method are such sums; coefficients of the schedule are Doubles.
  public static func combination(_ terms: [(Double, Latent)]) -> Latent {
    let first = terms[0].1
    var sums = first.values.map { terms[0].0 * Double($0) }
    for (k, latent) in terms.dropFirst() {
      precondition(latent.shape == first.shape, "\(latent.shape) and \(first.shape)")
      // Pointers: checked subscripts of two arrays keep this loop from being vectorized.
      sums.withUnsafeMutableBufferPointer { sums in
        latent.values.withUnsafeBufferPointer { values in
          for i in 0..<sums.count { sums[i] += k * Double(values[i]) }
        }
      }
    }
    return Latent(like: first, values: sums.map { Float($0) })
  }

  /// Element by element.
  public func zip(_ other: Latent, _ f: (Float, Float) -> Float) -> Latent {
    precondition(shape == other.shape, "\(shape) and \(other.shape)")
    let count = values.count
    let out = values.withUnsafeBufferPointer { a in
      other.values.withUnsafeBufferPointer { b in
        [Float](unsafeUninitializedCapacity: count) { out, initialized in
          for i in 0..<count { out[i] = f(a[i], b[i]) }
          initialized = count
        }
      }
    }
    return Latent(like: self, values: out)
  }

  public static func + (a: Latent, b: Latent) -> Latent { a.zip(b, +) }
  public static func - (a: Latent, b: Latent) -> Latent { a.zip(b, -) }
  public static func * (k: Double, a: Latent) -> Latent { combination([(k, a)]) }

  /// Largest magnitude; not a number if any value is.
  public var maxMagnitude: Float {
    values.reduce(0) { $0.isNaN || $1.isNaN ? .nan : max($0, abs($1)) }
  }
}
