import NeuralGraph

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The operators as plain loops in double, tensors in the order of the checkpoint.
enum Scalar {
  static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
  static func gelu(_ x: Double) -> Double { x * erfc(-x / 2.0.squareRoot()) / 2 }
  static func softLimit(_ x: Double, _ limit: Double) -> Double { limit * tanh(x / limit) }

  /// x `[rows, K]`, w `[N, K]` → `[rows, N]`
  static func linear(_ x: [Double], _ w: [Double], _ bias: [Double]?, k: Int) -> [Double] {
    let (rows, n) = (x.count / k, w.count / k)
    var y: [Double] = []
    for r in 0..<rows {
      for o in 0..<n {
        var sum = bias?[o] ?? 0
        for i in 0..<k { sum += x[r * k + i] * w[o * k + i] }
        y.append(sum)
      }
    }
    return y
  }

  /// x `[H, W, C]`, w `[O, C, kh, kw]` → `[H', W', O]`
  static func convolution(
    _ x: [Double], _ shape: [Int], _ w: [Double], _ kernel: [Int], _ bias: [Double]?, _ g: ConvolutionGeometry
  ) -> [Double] {
    let (height, width, channels) = (shape[0], shape[1], shape[2])
    let (outputs, kh, kw) = (kernel[0], kernel[2], kernel[3])
    var y: [Double] = []
    for i in 0..<(height + g.top + g.bottom - kh) / g.stride + 1 {
      for j in 0..<(width + g.left + g.right - kw) / g.stride + 1 {
        for o in 0..<outputs {
          var sum = bias?[o] ?? 0
          for ky in 0..<kh {
            for kx in 0..<kw {
              let (yy, xx) = (i * g.stride + ky - g.top, j * g.stride + kx - g.left)
              guard yy >= 0, yy < height, xx >= 0, xx < width else { continue }
              for c in 0..<channels {
                sum += x[(yy * width + xx) * channels + c] * w[((o * channels + c) * kh + ky) * kw + kx]
              }
            }
          }
          y.append(sum)
        }
      }
    }
    return y
  }

  /// x `[rows, C]`, normalized over every set of equal `group(row, channel)`.
  static func norm(
    _ x: [Double], _ gamma: [Double], _ beta: [Double], epsilon: Double, group: (Int, Int) -> Int
  ) -> [Double] {
    let c = gamma.count
    let groups = x.indices.map { group($0 / c, $0 % c) }
    let count = groups.max()! + 1
    var (sums, sizes) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
    for (value, group) in zip(x, groups) {
      sums[group] += value
      sizes[group] += 1
    }
    let means = zip(sums, sizes).map { $0 / $1 }
    var squares = [Double](repeating: 0, count: count)
    for (value, group) in zip(x, groups) { squares[group] += (value - means[group]) * (value - means[group]) }
    return x.indices.map { i in
      let group = groups[i]
      let deviation = (squares[group] / sizes[group] + epsilon).squareRoot()
      return (x[i] - means[group]) / deviation * gamma[i % c] + beta[i % c]
    }
  }

  /// q `[queries, C]`, k and v `[keys, C]` → `[queries, C]`
  static func attention(
    _ q: [Double], _ k: [Double], _ v: [Double], channels c: Int, heads: Int, causal: Bool
  ) -> [Double] {
    let (queries, keys, size) = (q.count / c, k.count / c, c / heads)
    var o = [Double](repeating: 0, count: q.count)
    for head in 0..<heads {
      for i in 0..<queries {
        let visible = causal ? i + 1 : keys
        var weights: [Double] = []
        for j in 0..<visible {
          var score = 0.0
          for d in 0..<size { score += q[i * c + head * size + d] * k[j * c + head * size + d] }
          weights.append(exp(score / Double(size).squareRoot()))
        }
        let total = weights.reduce(0, +)
        for j in 0..<visible {
          for d in 0..<size {
            o[i * c + head * size + d] += weights[j] / total * v[j * c + head * size + d]
          }
        }
      }
    }
    return o
  }

  /// x `[H, W, C]` → `[height, width, C]`
  static func upsample(_ x: [Double], _ shape: [Int], height: Int, width: Int) -> [Double] {
    var y: [Double] = []
    for i in 0..<height {
      for j in 0..<width {
        for c in 0..<shape[2] {
          y.append(x[(i * shape[0] / height * shape[1] + j * shape[1] / width) * shape[2] + c])
        }
      }
    }
    return y
  }
}
