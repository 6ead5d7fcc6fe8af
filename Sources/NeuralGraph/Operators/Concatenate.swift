import Kernels
import Tensors

/// Channels of a, then channels of b.
///
/// inputs   a `[H, W, A]`, b `[H, W, B]`, as floats or as lines in halves
/// outputs  y `[H, W, A + B]`
struct ConcatenateChannels: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0].shape.dropLast() == inputs[1].shape.dropLast() else { throw misfit(inputs) }
    return [TensorType(inputs[0].shape.dropLast() + [inputs[0].shape.last! + inputs[1].shape.last!])]
  }

  /// At the peak of a network: floats of both would be there beside the result.
  var readsLines: Bool { true }

  func run(_ io: borrowing OpIO) {
    var first = 0
    for x in io.inputs {
      if x.type.layout == .scaledLines {
        loadLines(x, intoChannelsFrom: first, of: io[out: 0], io.pool)
      } else {
        copyChannels(x, from: first, into: io[out: 0], io.pool)
      }
      first += x.type.shape.last!
    }
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let a = g.channels(node.inputs[0])
    return [
      wanted[0] ? try g.slice(dOut[0]!, 0..<a) : nil,
      wanted[1] ? try g.slice(dOut[0]!, a..<a + g.channels(node.inputs[1])) : nil,
    ]
  }
}

/// Some of the channels of x.
///
/// inputs   x `[…, C]`
/// outputs  y `[…, channels.count]`
struct SliceChannels: Op {
  var channels: Range<Int>

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let shape = inputs[0].shape
    guard channels.lowerBound >= 0, channels.upperBound <= shape.last! else { throw misfit(inputs) }
    return [TensorType(shape.dropLast() + [channels.count])]
  }

  func run(_ io: borrowing OpIO) {
    sliceChannels(io[in: 0], from: channels.lowerBound, into: io[out: 0], io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let pad = PadChannels(first: channels.lowerBound, width: g.channels(node.inputs[0]))
    return try g.emit(pad, [dOut[0]!])
  }
}

/// x between zeros.
///
/// inputs   x `[…, C]`
/// outputs  y `[…, width]`, x from channel `first` on
struct PadChannels: Op {
  var first: Int
  var width: Int

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let shape = inputs[0].shape
    guard first >= 0, first + shape.last! <= width else { throw misfit(inputs) }
    return [TensorType(shape.dropLast() + [width])]
  }

  func run(_ io: borrowing OpIO) { padChannels(io[in: 0], at: first, into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    [try g.slice(dOut[0]!, first..<first + g.channels(node.inputs[0]))]
  }
}

extension Scope {
  package func concatenate(_ a: Value, _ b: Value) throws(GraphError) -> Value {
    try emit(ConcatenateChannels(), [a, b])[0]
  }

  /// x in the channels from `first` on of a value that is `width` wide and 0 elsewhere.
  package func pad(_ x: Value, at first: Int, to width: Int) throws(GraphError) -> Value {
    try emit(PadChannels(first: first, width: width), [x])[0]
  }

  package func slice(_ x: Value, _ channels: Range<Int>) throws(GraphError) -> Value {
    try emit(SliceChannels(channels: channels), [x])[0]
  }
}
