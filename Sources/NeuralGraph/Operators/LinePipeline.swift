import Kernels
import Tensors

/// Convolutions behind one another, some lines at a time: every layer makes lines as soon as those are there that it
/// looks at, and of what lies between two layers no more exists than the next one still needs.
struct LinePipeline: Sendable {
  /// What a layer reads: an input of the operator, or what an earlier stage makes.
  enum Operand: Hashable, Sendable {
    case input(Int)
    case stage(Int)
  }

  struct Stage: Sendable {
    var layer: any LineLayer
    /// In the order of the layer's inputs.
    var operands: [Operand]
    /// Whether its lines are rounded like those that are stored in halves.
    var isRounded = false

    var x: Operand { operands[0] }
    /// What is added to its lines.
    var residual: Operand? { layer.fusion.addsResidual ? operands.last : nil }
    /// What is read line by line.
    var lines: [Operand] { [x] + (residual.map { [$0] } ?? []) }
  }

  /// Each behind those that it reads.
  var stages: [Stage]

  /// What the stages make, for these inputs of the operator.
  func types(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    var types: [TensorType] = []
    for stage in stages {
      let operands = stage.operands.map { $0.type(inputs, types).asFloats }
      types.append(try stage.layer.outputTypes(operands)[0])
    }
    return types
  }

  /// The largest of the inputs that are read line by line, and how near the result may come to it.
  func overlay(_ inputs: [TensorType], result: TensorType) -> Overlay? {
    guard let types = try? types(inputs) else { return nil }
    let read = Set(
      stages.flatMap(\.lines).compactMap { operand -> Int? in
        if case .input(let index) = operand { index } else { nil }
      })
    guard let input = read.max(by: { (inputs[$0].byteCount, $1) < (inputs[$1].byteCount, $0) }) else {
      return nil
    }
    let distance = LineSchedule(self, inputs, types).distance(to: input, inputs[input], result: result)
    return distance < result.byteCount ? Overlay(input: input, distance: distance) : nil
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    guard let types = try? types(inputs) else { return 0 }
    return stages.reduce(0) { sum, stage in
      sum + stage.layer.multiplyAdds(stage.operands.map { $0.type(inputs, types).asFloats })
    }
  }
}

extension LinePipeline.Operand {
  func type(_ inputs: [TensorType], _ stages: [TensorType]) -> TensorType {
    switch self {
    case .input(let index): inputs[index]
    case .stage(let index): stages[index]
    }
  }
}

extension TensorType {
  /// The floats that lines stored in halves stand for.
  var asFloats: TensorType { layout == .scaledLines ? TensorType(shape) : self }

  /// The same picture stored in halves.
  var asScaledLines: TensorType { TensorType(shape, element: .f16, layout: .scaledLines) }
}

/// What a pipeline does step by step: every step makes the next lines of the last stage, and before these what the
/// other stages have to make for them.
///
/// Whole lines and their order alone, no addresses: it says how much memory the pipeline takes as well.
struct LineSchedule {
  struct Part {
    var stage: Int
    var band: ConvolutionBand
    /// Of the band's lines, so many at the beginning are in the stage's buffer, from this place on in it.
    var kept: Int, keptFrom: Int
    /// The lines of the stage's own result that others still need, from the first that was there before.
    var window: Range<Int>
    /// Of these, the ones from before.
    var held: Range<Int>
  }

  private(set) var steps: [[Part]] = []
  /// The most lines that a stage's buffer, and its result's window, hold at a time.
  private(set) var buffered: [Int], windowed: [Int]
  /// The most lines that a stage makes at a time.
  private(set) var made: [Int]
  /// After every step: how many lines of the last stage there are, and the first line of every input that is still to
  /// be read; `Int.max` where none is.
  private(set) var progress: [(made: Int, unread: [Int])] = []

  /// About so many values are made in a step, by all stages together: enough rows for a product that reading the weight
  /// again for every step costs little beside them.
  static let valueCount = 1 << 20

  init(_ pipeline: LinePipeline, _ inputs: [TensorType], _ types: [TensorType]) {
    let stages = pipeline.stages
    let height = types.last!.shape[0]
    let read = stages.flatMap { stage in stage.lines.map { $0.type(inputs, types) } }
    let made = types.map(\.count).reduce(0, +)
    let perLine = max(made, read.map(\.count).max()!, height) / height
    let step = max(1, Self.valueCount / perLine)
    (buffered, windowed, self.made) = (
      types.map { _ in 0 }, types.map { _ in 0 }, types.map { _ in 0 }
    )
    func band(_ stage: Int, _ output: Range<Int>) -> ConvolutionBand {
      let (layer, operands) = (stages[stage].layer, stages[stage].operands)
      let weight = operands[1].type(inputs, types)
      return layer.geometry.band(
        output, of: operands[0].type(inputs, types), weight.shape, enlargedBy: layer.fusion.enlargement)
    }
    // Lines that a stage has made; those of its input that its buffer holds; those of its result that are left.
    var done = types.map { _ in 0 }
    var buffer = types.map { _ in 0..<0 }
    var window = types.map { _ in 0..<0 }
    /// Lines that a stage has to read for so many of its own, which may be less than none: those of the steps before
    /// the first line of the result, in which the other stages begin one by one.
    func reach(_ stage: Int, _ lines: Int) -> Int {
      let (layer, kernel) = (stages[stage].layer, stages[stage].operands[1].type(inputs, types).shape[1])
      let (geometry, factor) = (layer.geometry, layer.fusion.enlargement)
      let end = (lines - 1) * geometry.stride - geometry.top + kernel
      return Int((Double(end) / Double(factor)).rounded(.up))
    }
    var end = -2 * stages.count * step
    while done[stages.count - 1] < height {
      end += step
      var wanted = types.map { _ in Int.min / 2 }
      wanted[stages.count - 1] = end
      for (index, stage) in stages.enumerated().reversed() {
        if case .stage(let source) = stage.x {
          wanted[source] = max(wanted[source], reach(index, wanted[index]))
        }
        if case .stage(let source)? = stage.residual { wanted[source] = max(wanted[source], wanted[index]) }
      }
      for (index, type) in types.enumerated() { wanted[index] = min(max(wanted[index], 0), type.shape[0]) }
      var parts: [Part] = []
      for index in stages.indices where wanted[index] > done[index] {
        let part = band(index, done[index]..<wanted[index])
        let kept = max(0, min(buffer[index].upperBound, part.lines.upperBound) - part.lines.lowerBound)
        // What readers have not taken yet.
        let start = Self.firstNeeded(of: index, stages, done, buffer) ?? done[index]
        let held = min(max(start, window[index].lowerBound), done[index])..<done[index]
        window[index] = held.lowerBound..<wanted[index]
        parts.append(
          Part(
            stage: index, band: part, kept: kept, keptFrom: part.lines.lowerBound - buffer[index].lowerBound,
            window: window[index], held: held))
        buffer[index] = part.lines
        done[index] = wanted[index]
        buffered[index] = max(buffered[index], part.lines.count)
        windowed[index] = max(windowed[index], window[index].count)
        self.made[index] = max(self.made[index], part.output.count)
      }
      guard !parts.isEmpty else { continue }
      steps.append(parts)
      progress.append(
        (
          done.last!,
          inputs.indices.map { input in
            let type = inputs[input]
            let first = Self.firstUnread(.input(input), stages, done, types, buffer)
            return type.shape.isEmpty || first >= type.shape[0] ? .max : first
          }
        ))
    }
  }

  /// How far an input has to begin behind the result, in bytes, so that no line of it is written over before it is read:
  /// after every step the lines that there are end where the first that is still to be read begins, or before.
  func distance(to input: Int, _ type: TensorType, result: TensorType) -> Int {
    let (from, to) = (type.byteCount / type.shape[0], result.byteCount / result.shape[0])
    return progress.reduce(0) { most, step in
      step.unread[input] == .max ? most : max(most, step.made * to - step.unread[input] * from)
    }
  }

  /// The first line of an input that a stage will still read; `Int.max` where no stage reads it by lines, or any more.
  private static func firstUnread(
    _ operand: LinePipeline.Operand, _ stages: [LinePipeline.Stage], _ done: [Int], _ types: [TensorType],
    _ buffer: [Range<Int>]
  ) -> Int {
    var first = Int.max
    for (reader, stage) in stages.enumerated() where done[reader] < types[reader].shape[0] {
      if stage.x == operand { first = min(first, buffer[reader].upperBound) }
      if stage.residual == operand { first = min(first, done[reader]) }
    }
    return first
  }

  /// The first line of a stage's result that somebody has not read; nil where nobody reads it.
  private static func firstNeeded(
    of index: Int, _ stages: [LinePipeline.Stage], _ done: [Int], _ buffer: [Range<Int>]
  ) -> Int? {
    var first: Int?
    for (reader, stage) in stages.enumerated() {
      if stage.x == .stage(index) { first = min(first ?? .max, buffer[reader].upperBound) }
      if stage.residual == .stage(index) { first = min(first ?? .max, done[reader]) }
    }
    return first
  }
}
