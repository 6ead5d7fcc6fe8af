import Kernels
import Tensors

extension LinePipeline {
  /// The memory of a run: where the buffers and windows of its stages lie.
  private struct Places {
    var schedule: LineSchedule
    var types: [TensorType]
    /// Offsets of every stage's buffer of what it reads, and of its result's window.
    var buffers: [Int] = [], windows: [Int] = []
    /// Of lines that are loaded from an input stored in halves.
    var loaded = 0
    /// Of working memory for whatever stage runs.
    var rest = 0
    var byteCount = 0

    init(_ pipeline: LinePipeline, _ inputs: [TensorType], threads: Int) {
      // The operator's own shape rule refuses what does not fit.
      types = try! pipeline.types(inputs)
      schedule = LineSchedule(pipeline, inputs, types)
      var next = 0
      func take(_ bytes: Int) -> Int {
        defer { next += (bytes + 63) / 64 * 64 }
        return next
      }
      var (working, loads) = (0, 0)
      for (index, stage) in pipeline.stages.enumerated() {
        let operands = stage.operands.map { $0.type(inputs, types).asFloats }
        buffers.append(take(stage.layer.bufferBytes(operands[0].lines(schedule.buffered[index]))))
        windows.append(take(types[index].lines(schedule.windowed[index]).byteCount))
        working = max(working, prologueScratchBytes(channels: operands[0].shape.last!, threads: threads))
        for operand in stage.lines {
          guard case .input(let i) = operand, inputs[i].layout == .scaledLines else { continue }
          loads = max(
            loads, inputs[i].asFloats.lines(max(schedule.buffered[index], schedule.made[index])).byteCount)
        }
      }
      for part in schedule.steps.joined() {
        let stage = pipeline.stages[part.stage]
        let operands = stage.operands.map { $0.type(inputs, types).asFloats }
        working = max(
          working,
          stage.layer.scratchBytes(
            ofLines: operands[0].lines(part.band.lines.count), weight: operands[1], part.band,
            threads: threads))
      }
      loaded = take(loads)
      rest = take(working)
      byteCount = next
    }
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    stages.isEmpty ? 0 : Places(self, inputs, threads: threads).byteCount
  }

  /// Calls `take` with the lines of the last stage, from the first to the last.
  ///
  /// What an earlier part of the result's lines has replaced in an input's place (`overlay`) is not read again.
  func run(
    _ inputs: [TensorRef], scratch: UnsafeMutableRawPointer, _ pool: ThreadPool,
    _ take: (_ lines: TensorRef, _ first: Int) -> Void
  ) {
    let places = Places(self, inputs.map(\.type), threads: pool.threads)
    func window(_ stage: Int) -> TensorRef {
      let type = places.types[stage].lines(places.schedule.windowed[stage])
      return TensorRef(type, at: scratch + places.windows[stage])
    }
    // Lines that the windows hold.
    var held = stages.map { _ in 0..<0 }
    /// Lines of what a stage reads, as floats.
    func lines(_ operand: Operand, _ range: Range<Int>) -> TensorRef {
      switch operand {
      case .input(let index):
        let input = inputs[index]
        guard input.type.layout == .scaledLines else { return input.lines(range) }
        let loaded = TensorRef(input.type.asFloats.lines(range.count), at: scratch + places.loaded)
        loadLines(input, range, into: loaded, pool)
        return loaded
      case .stage(let index):
        let first = held[index].lowerBound
        return window(index).lines(range.lowerBound - first..<range.upperBound - first)
      }
    }
    for part in places.schedule.steps.joined() {
      let stage = stages[part.stage]
      // A place in the window for the new lines.
      let window = window(part.stage)
      if !part.held.isEmpty, part.held.lowerBound > held[part.stage].lowerBound {
        window.keep(part.held.count, from: part.held.lowerBound - held[part.stage].lowerBound)
      }
      held[part.stage] = part.window
      let made = window.lines(part.held.count..<part.window.count)
      let own = stage.operands.map { operand -> TensorRef in
        if case .input(let index) = operand { inputs[index] } else { made }
      }
      stage.layer.advance(
        part, x: { lines(stage.x, $0) }, residual: { range in stage.residual.map { lines($0, range) } }, own,
        xType: stage.x.type(inputs.map(\.type), places.types).asFloats,
        buffer: (scratch + places.buffers[part.stage], places.schedule.buffered[part.stage]), into: made,
        scratch: scratch + places.rest, pool)
      if stage.isRounded { roundLines(made, pool) }
      if part.stage == stages.count - 1 { take(made, part.band.output.lowerBound) }
    }
  }
}

extension LineLayer {
  fileprivate func bufferBytes(_ lines: TensorType) -> Int { Lines.byteCount(lines) }

  /// Makes the part's lines.
  ///
  /// - Parameters:
  ///   - x: lines of what the layer reads.
  ///   - residual: lines of what is added, nil where nothing is.
  ///   - inputs: all inputs of the layer, of which those that come line by line are not read here.
  ///   - buffer: its address, and the lines that it has room for.
  fileprivate func advance(
    _ part: LineSchedule.Part, x: (Range<Int>) -> TensorRef, residual: (Range<Int>) -> TensorRef?,
    _ inputs: [TensorRef], xType: TensorType, buffer: (address: UnsafeMutableRawPointer, lines: Int),
    into made: TensorRef, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    var (own, fused) = fusion.split(inputs)
    let band = part.band
    let lines = Lines(xType.lines(buffer.lines), at: buffer.address)
    if part.kept > 0 { lines.keep(part.kept, from: part.keptFrom) }
    if part.kept < band.lines.count {
      let fresh = band.lines.lowerBound + part.kept..<band.lines.upperBound
      lines.fill(from: part.kept, x(fresh), fusion.prologue(fused), rotation, scratch: scratch, pool)
    }
    fused.residual = residual(band.output)
    own[0] = made
    multiply(lines, own, band, fusion.epilogue(fused), into: made, scratch: scratch, pool)
  }
}

/// The result of convolutions behind one another, of which no other exists as a whole.
///
/// inputs   what the stages read from outside
/// outputs  y `[H, W, C]` of the last stage, as floats or in halves
struct PipelineResult: Op {
  var pipeline: LinePipeline
  /// Whether y is stored in halves.
  var isNarrow = false
  /// The input in whose place y may come to lie.
  var overlay: Overlay?

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let type = try pipeline.types(inputs).last!
    return [isNarrow ? type.asScaledLines : type]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    pipeline.scratchBytes(inputs, threads: threads)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { pipeline.multiplyAdds(inputs) }

  func run(_ io: borrowing OpIO) {
    let (y, pool) = (io[out: 0], io.pool)
    pipeline.run(io.inputs, scratch: io.scratch, pool) { lines, first in
      if isNarrow {
        storeLines(lines, from: first, into: y, pool)
      } else {
        let place = y.lines(first..<first + lines.type.shape[0])
        place.address.copyMemory(from: lines.address, byteCount: lines.type.byteCount)
      }
    }
  }
}

/// `GroupStatistics` of a picture that exists nowhere: convolutions behind one another make it line by line, or it is
/// stored in halves.
///
/// inputs   what the stages read from outside; without stages, x `[H, W, C]` in halves
/// outputs  stats `[groups, 2]`
struct PipelineStatistics: Op {
  var pipeline: LinePipeline
  var groups: Int
  var epsilon: Float

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    try GroupStatistics(groups: groups, epsilon: epsilon).outputTypes([picture(inputs)])
  }

  private func picture(_ inputs: [TensorType]) throws(GraphError) -> TensorType {
    try pipeline.types(inputs).last ?? inputs[0].asFloats
  }

  /// Lines of a stored picture that are loaded at a time.
  private func step(_ x: TensorType) -> Int {
    max(1, min(x.shape[0], LineSchedule.valueCount / x.shape.dropFirst().reduce(1, *)))
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let x = try! picture(inputs)
    let lines =
      pipeline.stages.isEmpty
      ? x.lines(step(x)).byteCount : pipeline.scratchBytes(inputs, threads: threads)
    return sumsBytes(x) + lines
  }

  private func sumsBytes(_ x: TensorType) -> Int {
    (GroupSums.byteCount(channels: x.shape.last!) + 63) / 64 * 64
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { pipeline.multiplyAdds(inputs) }

  func run(_ io: borrowing OpIO) {
    let types = io.inputs.map(\.type)
    let (x, pool) = (try! picture(types), io.pool)
    var sums = GroupSums(channels: x.shape.last!, groups: groups, at: io.scratch)
    let scratch = io.scratch + sumsBytes(x)
    if pipeline.stages.isEmpty {
      for first in stride(from: 0, to: x.shape[0], by: step(x)) {
        let range = first..<min(first + step(x), x.shape[0])
        let lines = TensorRef(x.lines(range.count), at: scratch)
        loadLines(io[in: 0], range, into: lines, pool)
        sums.add(lines, pool)
      }
    } else {
      pipeline.run(io.inputs, scratch: scratch, pool) { lines, _ in sums.add(lines, pool) }
    }
    sums.finish(epsilon: epsilon, into: io[out: 0])
  }
}
