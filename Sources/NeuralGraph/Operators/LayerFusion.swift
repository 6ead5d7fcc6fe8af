import Kernels
import Tensors

/// What a layer computes beside its own formula L, so that no tensor in between exists as a whole:
///
///     y = residual + (L(enlarge(activate(normalize(x)))) + channels)
///
/// Its inputs come behind those of the layer, in this order, as far as they are there:
/// stats `[groups, 2]` (of group norm), gamma `[C]`, beta `[C]`, channels `[1, O]`, residual of y's shape.
struct LayerFusion: Hashable, Sendable {
  enum Normalization: Hashable, Sendable {
    /// By the statistics of the groups of a picture.
    case groups
    /// Of every row by itself.
    case rows(epsilon: Float)
  }

  var normalization: Normalization?
  var activation: Prologue.Activation?
  /// Every pixel stands for factor² of them; convolutions alone.
  var enlargement = 1
  var addsChannels = false
  var addsResidual = false

  static let none = LayerFusion()

  var inputCount: Int {
    (normalization == .groups ? 3 : normalization == nil ? 0 : 2) + (addsChannels ? 1 : 0)
      + (addsResidual ? 1 : 0)
  }

  /// The inputs of the layer itself, and those behind them.
  func split<T>(_ inputs: [T]) -> (own: [T], fused: Fused<T>) {
    let own = inputs.count - inputCount
    var rest = inputs[own...]
    var fused = Fused<T>()
    if normalization == .groups { fused.stats = rest.popFirst() }
    if normalization != nil { (fused.gamma, fused.beta) = (rest.popFirst(), rest.popFirst()) }
    if addsChannels { fused.channels = rest.popFirst() }
    if addsResidual { fused.residual = rest.popFirst() }
    return (Array(inputs[..<own]), fused)
  }

  struct Fused<T> {
    var stats: T?, gamma: T?, beta: T?, channels: T?, residual: T?
  }

  /// Whether the inputs behind the layer's own fit x and y.
  func fits(_ fused: Fused<TensorType>, x: TensorType, y: TensorType) -> Bool {
    let (c, o) = (x.shape.last!, y.shape.last!)
    if let stats = fused.stats {
      guard stats.shape.count == 2, stats.shape[1] == 2, c % stats.shape[0] == 0 else { return false }
    }
    return (fused.gamma == nil || (fused.gamma == TensorType([c]) && fused.beta == fused.gamma))
      && (fused.channels == nil || fused.channels == TensorType([1, o]))
      && (fused.residual == nil || fused.residual == y)
  }

  func prologue(_ fused: Fused<TensorRef>) -> Prologue {
    switch normalization {
    case .groups:
      Prologue(.groups(stats: fused.stats!, gamma: fused.gamma!, beta: fused.beta!), activation)
    case .rows(let epsilon):
      Prologue(.rows(gamma: fused.gamma!, beta: fused.beta!, epsilon: epsilon), activation)
    case nil: Prologue(nil, activation)
    }
  }

  func epilogue(_ fused: Fused<TensorRef>) -> Epilogue {
    Epilogue(channels: fused.channels, residual: fused.residual)
  }

  var hasEpilogue: Bool { addsChannels || addsResidual }
  var hasPrologue: Bool { normalization != nil || activation != nil }

  /// The input that the output may lie over, of a layer with so many inputs.
  func overwritten(of count: Int) -> Int? { addsResidual ? count - 1 : nil }
}

extension LayerFusion {
  /// The gradients of a fused layer, by the rules of the operators that it stands for: what it made of x is computed
  /// again, from x and the statistics, which is all that has to be kept.
  ///
  /// - Parameter layer: the rule of the layer itself: its input's shape, its input where the gradient of a weight reads
  ///   it, the gradient of its result, which of its own inputs have one → those.
  func vjp(
    _ node: Node, dOut: Value, wanted: [Bool], _ g: Scope,
    layer: (_ shape: [Int], _ x: Value?, _ dy: Value, _ wanted: [Bool]) throws(GraphError) -> [Value?]
  ) throws(GraphError) -> [Value?] {
    let (own, fused) = split(node.inputs)
    let (ownWanted, fusedWanted) = split(wanted)
    let (x, shape) = (own[0], g.shape(own[0]))
    let parameters = fusedWanted.gamma == true || fusedWanted.beta == true
    var passed = ownWanted
    passed[0] = ownWanted[0] || parameters
    let readsInput = passed.count > 1 && passed[1]
    var normal = x
    if let stats = fused.stats, readsInput || (passed[0] && activation != nil) {
      normal = try g.emit(ApplyGroupNorm(), [x, stats, fused.gamma!, fused.beta!])[0]
    } else if normalization != nil && fused.stats == nil {
      throw .notDifferentiable(op: "\(type(of: node.op))", input: "x, normalized by rows")
    }
    var inputShape = shape
    if enlargement > 1 { (inputShape[0], inputShape[1]) = (enlargement * shape[0], enlargement * shape[1]) }
    var input: Value?
    if readsInput {
      input = try g.activated(normal, activation)
      if enlargement > 1 {
        input = try g.upsampleNearest(input!, height: inputShape[0], width: inputShape[1])
      }
    }
    var gradients = try layer(inputShape, input, dOut, passed)
    var (dGamma, dBeta): (Value?, Value?) = (nil, nil)
    if var d = gradients[0] {
      if enlargement > 1 { d = try g.emit(UpsampleNearestDX(height: shape[0], width: shape[1]), [d])[0] }
      switch activation {
      case .silu: d = try g.emit(SiLUDX(), [normal, d])[0]
      case .relu: d = try g.emit(ReLUDX(), [normal, d])[0]
      case nil: break
      }
      if let stats = fused.stats {
        if parameters {
          let both = try g.emit(GroupNormDParameters(groups: g.shape(stats)[0]), [x, stats, d])
          (dGamma, dBeta) = (both[0], both[1])
        }
        if ownWanted[0] {
          d = try g.emit(GroupNormDX(groups: g.shape(stats)[0]), [x, stats, fused.gamma!, d])[0]
        }
      }
      gradients[0] = ownWanted[0] ? d : nil
    }
    // What depends on x through its statistics is in dx already.
    if normalization == .groups { gradients.append(nil) }
    if normalization != nil { gradients += [dGamma, dBeta] }
    if addsChannels {
      gradients.append(fusedWanted.channels! ? try g.emit(SumRows(isRow: true), [dOut])[0] : nil)
    }
    if addsResidual { gradients.append(dOut) }
    return gradients
  }
}

/// A value on its way into a layer.
package struct LayerInput {
  package let x: Value
  fileprivate var norm: (scope: Scope, groups: Int, epsilon: Float)?
  fileprivate var activation: Prologue.Activation?
  fileprivate var enlargement = 1

  package init(_ x: Value) { self.x = x }

  /// The SiLU of it, or another activation.
  package func activated(by activation: Prologue.Activation = .silu) -> LayerInput {
    var input = self
    input.activation = activation
    return input
  }
}

extension Scope {
  /// Group normalization of x by `weight` (γ) and `bias` (β) of this scope, for the layer that reads it.
  package func normalized(_ x: Value, groups: Int, epsilon: Float = 1e-5) -> LayerInput {
    var input = LayerInput(x)
    input.norm = (self, groups, epsilon)
    return input
  }

  /// x enlarged to `height` × `width` by its nearest pixels, for the convolution that reads it.
  package func enlarged(_ x: Value, height: Int, width: Int) throws(GraphError) -> LayerInput {
    let size = shape(x)
    guard height == 2 * size[0], width == 2 * size[1] else {
      return LayerInput(try upsampleNearest(x, height: height, width: width))
    }
    var input = LayerInput(x)
    input.enlargement = 2
    return input
  }

  /// The fusion of a layer with what comes before and after it, and the inputs that this takes.
  func fusion(
    _ input: LayerInput, channels: Value?, residual: Value?
  ) throws(GraphError) -> (fusion: LayerFusion, inputs: [Value]) {
    var fusion = LayerFusion(
      activation: input.activation, enlargement: input.enlargement, addsChannels: channels != nil,
      addsResidual: residual != nil)
    var inputs: [Value] = []
    if let (scope, groups, epsilon) = input.norm {
      fusion.normalization = .groups
      inputs.append(try emit(GroupStatistics(groups: groups, epsilon: epsilon), [input.x])[0])
      inputs += scope.normParameters(input.x)
    }
    return (fusion, inputs + [channels, residual].compactMap { $0 })
  }

  /// What the layer reads, as a value: for adapters, which read it too.
  func plain(_ input: LayerInput) throws(GraphError) -> Value {
    var x = input.x
    if let (scope, groups, epsilon) = input.norm {
      x = try scope.groupNorm(x, groups: groups, epsilon: epsilon)
    }
    x = try activated(x, input.activation)
    guard input.enlargement > 1 else { return x }
    let size = shape(x)
    return try upsampleNearest(
      x, height: input.enlargement * size[0], width: input.enlargement * size[1])
  }

  fileprivate func activated(
    _ x: Value, _ activation: Prologue.Activation?
  ) throws(GraphError) -> Value {
    switch activation {
    case .silu: try silu(x)
    case .relu: try relu(x)
    case nil: x
    }
  }

  /// γ and β of this scope.
  func normParameters(_ x: Value) -> [Value] {
    let c = [channels(x)]
    return [weight("weight", c, .vector), weight("bias", c, .vector)]
  }
}
