import Kernels
import NeuralGraph
import Tensors
import TestSupport

/// A network of one input `x` whose matrices are stored as bytes, run node by node in memory of its own: every
/// operator gets exactly the scratch that it asked for, poisoned, and must not write behind it.
struct ByteNetwork {
  let graph: Graph
  let output: Value
  /// Of the input `dy`, if the output is the gradient of ⟨y, dy⟩ with respect to x.
  let seedShape: [Int]
  private let tensors: [String: HostTensor]
  private let rotation: Int?
  private let build: @Sendable (Scope, Value) throws -> Value
  private let isTwin: Bool
  private let input: [Int], gradient: Bool
  private let limits: LineLimits?, activations: ActivationPrecision

  init(
    _ input: [Int], gradient: Bool = false, rotation: Int? = nil, limits: LineLimits? = nil,
    activations: ActivationPrecision = .f32, _ build: @escaping @Sendable (Scope, Value) throws -> Value
  ) throws {
    try self.init(
      input, gradient: gradient, rotation: rotation, limits: limits, activations: activations, tensors: nil,
      build)
  }

  /// - Parameter tensors: of a network of floats; nil for bytes of random weights.
  private init(
    _ input: [Int], gradient: Bool, rotation: Int?, limits: LineLimits?, activations: ActivationPrecision,
    tensors: [String: HostTensor]?, _ build: @escaping @Sendable (Scope, Value) throws -> Value
  ) throws {
    let element: ElementType = tensors == nil ? .s8 : .f32
    var lowering = Lowering()
    (lowering.lineLimits, lowering.activations) = (limits, activations)
    let builder = GraphBuilder(lowering: lowering) {
      $0.hasSuffix("weight") ? WeightFormat(element, rotation: rotation) : WeightFormat(.f32)
    }
    let x = builder.root.input("x", TensorType(input))
    let y = try build(builder.root, x)
    seedShape = builder.graph.type(y).shape
    if gradient {
      let dy = builder.root.input("dy", TensorType(seedShape))
      output = try builder.root.gradient(of: y, seed: dy, wrt: [x])[0]!
    } else {
      output = try builder.whole(y)
    }
    (graph, self.input, self.gradient) = (builder.graph, input, gradient)
    (self.rotation, self.build, isTwin) = (rotation, build, tensors != nil)
    (self.limits, self.activations) = (limits, activations)
    self.tensors = tensors ?? randomWeights(of: builder.graph).filter { !$0.key.hasSuffix("scale") }
  }

  /// The same network with scale·q in panels of floats.
  var twin: ByteNetwork {
    var floats = tensors
    for weight in graph.weights where weight.role == .matrix || weight.role == .convolution {
      floats[weight.name] = dequantized(rotated(tensors[weight.name]!))
    }
    return try! ByteNetwork(
      input, gradient: gradient, rotation: nil, limits: limits, activations: activations, tensors: floats,
      build)
  }

  /// - Parameter nearer: where an input may begin within an output's memory (`Op.overlay`) it does, and by so many bytes
  ///   nearer to the front than it may; nil for memory of its own.
  func run(_ inputs: [String: HostTensor], _ pool: ThreadPool, nearer: Int? = nil) -> HostTensor {
    var memory: [Value: Memory] = [:]
    for value in values {
      memory[value] = Memory(graph.type(value).byteCount)
      switch graph.origin(value) {
      case .input(let name): memory[value]!.write(inputs[name]!.values)
      case .weight(let weight): load(weight, graph.type(value), into: memory[value]!)
      case .parameter(let name): memory[value]!.write(inputs[name]!.values)
      case .node, .lines: break
      }
    }
    for node in graph.nodes {
      let types = node.inputs.map(graph.type)
      let scratch = Memory(node.op.scratchBytes(types, threads: pool.threads))
      var places = memory.mapValues(\.address)
      if let nearer, let overlay = node.op.overlay {
        let (input, output) = (node.inputs[overlay.input], node.outputs[0])
        let (start, bytes) = (max(0, overlay.distance - nearer), graph.type(input).byteCount)
        let both = Memory(max(graph.type(output).byteCount, start + bytes))
        (both.address + start).copyMemory(from: places[input]!, byteCount: bytes)
        (places[input], places[output], memory[output]) = (both.address + start, both.address, both)
      }
      node.op.run(
        OpIO(
          inputs: node.inputs.map { TensorRef(graph.type($0), at: places[$0]!) },
          outputs: node.outputs.map { TensorRef(graph.type($0), at: places[$0]!) },
          scratch: scratch.address, pool: pool))
      withExtendedLifetime(scratch) {}
    }
    let type = graph.type(output)
    let floats = memory[output]!.address.assumingMemoryBound(to: Float.self)
    return HostTensor(
      shape: type.shape, values: Array(UnsafeBufferPointer(start: floats, count: type.count)))
  }

  private var values: Set<Value> {
    Set(graph.nodes.flatMap { $0.inputs + $0.outputs })
  }

  /// Of pictures, together.
  var valueBytes: Int {
    values.filter { graph.weight($0) == nil }.reduce(0) { $0 + graph.type($1).byteCount }
  }

  private func load(_ weight: Weight, _ type: TensorType, into memory: Memory) {
    let target = UnsafeMutableRawBufferPointer(start: memory.address, count: type.byteCount)
    if weight.name.hasSuffix(".scale") {
      memory.write(scales(rotated(tensors[String(weight.name.dropLast(6))]!)))
    } else if type.layout == .plain {
      memory.write(tensors[weight.name]!.values)
    } else if isTwin {
      tensors[weight.name]!.values.withUnsafeBytes {
        packPanels($0, element: .f32, checkpointShape: weight.shape, rows: 0..<weight.shape[0], into: target)
      }
    } else {
      let tensor = rotated(tensors[weight.name]!)
      tensor.values.withUnsafeBufferPointer { source in
        scales(tensor).withUnsafeBufferPointer {
          packInt8Panels(
            source, scales: $0, checkpointShape: weight.shape, rows: 0..<weight.shape[0], into: target)
        }
      }
    }
  }

  /// W·H, the input channels of every tap by themselves.
  private func rotated(_ weight: HostTensor) -> HostTensor {
    guard let rotation else { return weight }
    let (channels, taps) = (weight.shape[1], weight.shape.dropFirst(2).reduce(1, *))
    var other = weight
    for row in 0..<weight.shape[0] {
      for tap in 0..<taps {
        let place = { (c: Int) in (row * channels + c) * taps + tap }
        let values = walshHadamard((0..<channels).map { weight.values[place($0)] }, width: rotation)
        for c in 0..<channels { other.values[place(c)] = values[c] }
      }
    }
    return other
  }

  private func scales(_ tensor: HostTensor) -> [Float] {
    let k = tensor.count / tensor.shape[0]
    return (0..<tensor.shape[0]).map { tensor.values[$0 * k..<($0 + 1) * k].map(abs).max()! / 127 }
  }

  private func dequantized(_ tensor: HostTensor) -> HostTensor {
    let (k, scales) = (tensor.count / tensor.shape[0], scales(tensor))
    var other = tensor
    for i in tensor.values.indices {
      other.values[i] = (tensor.values[i] / scales[i / k]).rounded(.toNearestOrEven) * scales[i / k]
    }
    return other
  }
}

/// H·x/√w for consecutive groups, by the definition of the matrix.
func walshHadamard(_ x: [Float], width: Int) -> [Float] {
  x.indices.map { i in
    let start = i / width * width
    let sum = (0..<width).reduce(0.0) { sum, j in
      let value = Double(x[start + j])
      return (i % width & j).nonzeroBitCount % 2 == 0 ? sum + value : sum - value
    }
    return Float(sum / Double(width).squareRoot())
  }
}

/// Aligned bytes full of a pattern, 64 of it behind them that must stay.
private final class Memory {
  let address: UnsafeMutableRawPointer
  private let count: Int

  init(_ count: Int) {
    self.count = count
    address = .allocate(byteCount: count + 64, alignment: 64)
    address.initializeMemory(as: UInt8.self, repeating: 0x7f, count: count + 64)
  }

  deinit {
    for i in 0..<64 {
      precondition(address.load(fromByteOffset: count + i, as: UInt8.self) == 0x7f, "written behind \(count)")
    }
    address.deallocate()
  }

  func write(_ values: [Float]) {
    precondition(values.count * 4 == count)
    values.withUnsafeBytes { address.copyMemory(from: $0.baseAddress!, byteCount: count) }
  }
}
