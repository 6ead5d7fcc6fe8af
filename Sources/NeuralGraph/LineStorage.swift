import Kernels
import Tensors

/// How much of a network's pictures exists as a whole. Convolutions with wider results are computed line by line where
/// something reads them, and again for the next reader (`LinePipeline`): more work, the same bits.
package struct LineLimits: Hashable, Sendable {
  /// Bytes of the widest result that is kept between the layers of a block.
  package var inside: Int
  /// Bytes of the widest result that one block hands to another (`Scope.kept`).
  package var between: Int

  package init(inside: Int = .max, between: Int = .max) { (self.inside, self.between) = (inside, between) }
}

/// A convolution that is computed where something reads it.
struct DeferredLayer {
  var layer: any LineLayer
  var inputs: [Value]
  var isRounded = false

  /// What it reads line by line.
  var lines: [Value] { [inputs[0]] + (layer.fusion.addsResidual ? [inputs.last!] : []) }
}

extension GraphBuilder {
  /// Emits an operator where convolutions are put off until it is known what reads them.
  func emitByLines(_ op: any Op, _ inputs: [Value]) throws(GraphError) -> [Value] {
    if let layer = op as? any LineLayer {
      let type = try layer.outputTypes(inputs.map { graph.type($0).asFloats })[0]
      let deferred = DeferredLayer(layer: layer, inputs: inputs)
      // What is added is read once, so that it need not be there as a whole.
      try settle(inputs[0])
      let y = define(type, .lines)
      self.deferred[y] = deferred
      return [y]
    }
    if let statistics = op as? GroupStatistics {
      try settle(inputs[0])
      guard self.deferred[inputs[0]] != nil || graph.type(inputs[0]).layout == .scaledLines else {
        return try emitNode(op, inputs)
      }
      let (pipeline, inputs) = pipeline(of: inputs[0])
      return try emitNode(
        PipelineStatistics(pipeline: pipeline, groups: statistics.groups, epsilon: statistics.epsilon), inputs
      )
    }
    var whole: [Value] = []
    for value in inputs { whole.append(try self.whole(value)) }
    return try emitNode(op, whole)
  }

  /// Emits what is put off and is narrow enough to be kept between two layers.
  private func settle(_ value: Value) throws(GraphError) {
    guard let layer = deferred[value], !layer.isRounded,
      graph.type(value).byteCount <= lowering.lineLimits?.inside ?? .max
    else { return }
    try compute(value)
  }

  /// A value as floats in memory, for operators that read it so and for the caller of a run.
  package func whole(_ value: Value) throws(GraphError) -> Value {
    if let layer = deferred[value] { try compute(value, inHalves: layer.isRounded) }
    guard graph.type(value).layout == .scaledLines else { return value }
    return try emitNode(LoadedLines(), [value])[0]
  }

  /// Emits the operator for a value that was put off.
  private func compute(_ value: Value, inHalves: Bool = false) throws(GraphError) {
    let layer = deferred[value]!
    let (pipeline, inputs) = pipeline(of: value)
    let isPlain = pipeline.stages.count == 1 && layer.lines.allSatisfy { graph.type($0).layout == .plain }
    deferred[value] = nil
    guard !isPlain || inHalves else { return define(value, by: layer.layer, layer.inputs) }
    let type = inHalves ? graph.type(value).asScaledLines : graph.type(value)
    let overlay = pipeline.overlay(inputs.map(graph.type), result: type)
    graph.types[value.id] = type
    define(value, by: PipelineResult(pipeline: pipeline, isNarrow: inHalves, overlay: overlay), inputs)
  }

  /// What makes a value from others that are in memory, and these; no stages where it is itself.
  private func pipeline(of value: Value) -> (pipeline: LinePipeline, inputs: [Value]) {
    var order: [Value] = []
    func visit(_ value: Value) {
      guard let layer = deferred[value], !order.contains(value) else { return }
      layer.lines.forEach(visit)
      order.append(value)
    }
    visit(value)
    guard !order.isEmpty else { return (LinePipeline(stages: []), [value]) }
    var inputs: [Value] = []
    func operand(_ value: Value) -> LinePipeline.Operand {
      if let stage = order.firstIndex(of: value) { return .stage(stage) }
      if let known = inputs.firstIndex(of: value) { return .input(known) }
      inputs.append(value)
      return .input(inputs.count - 1)
    }
    let stages = order.map { value in
      let layer = deferred[value]!
      return LinePipeline.Stage(
        layer: layer.layer, operands: layer.inputs.map(operand), isRounded: layer.isRounded)
    }
    return (LinePipeline(stages: stages), inputs)
  }

  fileprivate func keep(_ value: Value) throws(GraphError) {
    guard deferred[value] != nil else { return }
    let type = graph.type(value)
    let isNarrow = lowering.activations == .f16
    if (isNarrow ? type.asScaledLines : type).byteCount <= lowering.lineLimits?.between ?? .max {
      try compute(value, inHalves: isNarrow)
    } else {
      deferred[value]!.isRounded = isNarrow
    }
  }
}

extension Scope {
  /// A result that one block hands to the next: kept in memory where a convolution's widest may be, in the precision of
  /// activations.
  package func kept(_ value: Value) throws(GraphError) -> Value {
    if builder.lowering.worksByLines {
      try builder.keep(value)
    } else if builder.lowering.activations == .f16, type(value).layout == .plain {
      return try emit(StoredLines(), [value])[0]
    }
    return value
  }
}
