import Kernels
import Tensors

/// A convolution that can be asked for some lines of its result: what it reads goes through its prologue line by line
/// into a buffer, and a product makes the lines of the result from that.
///
/// Its inputs begin with x `[H, W, C]` and the weight `[O, kh, kw, C]`.
protocol LineLayer: Op {
  /// Lines of x as the product reads them.
  associatedtype Lines: BandBuffer

  var geometry: ConvolutionGeometry { get }
  var rotation: Int? { get }
  var fusion: LayerFusion { get }

  /// Scratch of `multiply` for x of the band's lines.
  func scratchBytes(ofLines x: TensorType, weight: TensorType, _ band: ConvolutionBand, threads: Int) -> Int

  /// The band of the result.
  ///
  /// - Parameters:
  ///   - lines: those of the band.
  ///   - own: the inputs of the layer itself; the first is not read.
  ///   - y: as many lines as the band's output has.
  func multiply(
    _ lines: Lines, _ own: [TensorRef], _ band: ConvolutionBand, _ epilogue: Epilogue, into y: TensorRef,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool)
}

extension LineLayer {
  func overwritten(of inputs: Int) -> Int? { fusion.overwritten(of: inputs) }

  func bands(of x: TensorType, _ weight: TensorType) -> [ConvolutionBand] {
    geometry.bands(of: x, weight.shape, enlargedBy: fusion.enlargement)
  }

  func bandScratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let (x, weight) = (inputs[0], inputs[1])
    return Lines.scratchBytes(bands(of: x, weight), of: x, threads: threads) { band in
      scratchBytes(ofLines: x.lines(band.lines.count), weight: weight, band, threads: threads)
    }
  }

  func runInBands(_ io: borrowing OpIO) {
    let (own, fused) = fusion.split(io.inputs)
    let (x, y, epilogue, pool) = (own[0], io[out: 0], fusion.epilogue(fused), io.pool)
    Lines.forEachBand(
      bands(of: x.type, own[1].type), of: x, fusion.prologue(fused), rotation, scratch: io.scratch, pool
    ) { band, lines, scratch in
      multiply(
        lines, own, band, epilogue.lines(band.output), into: y.lines(band.output), scratch: scratch, pool)
    }
  }
}

/// Layers that multiply floats.
extension LineLayer where Lines == TensorRef {
  func scratchBytes(ofLines x: TensorType, weight: TensorType, _ band: ConvolutionBand, threads: Int) -> Int {
    convolutionScratchBytes(
      x: x, weight: weight, band.geometry, enlarged: band.enlargement, epilogue: fusion.hasEpilogue,
      threads: threads)
  }
}

extension Convolution: LineLayer {
  typealias Lines = TensorRef

  var rotation: Int? { nil }

  func multiply(
    _ lines: TensorRef, _ own: [TensorRef], _ band: ConvolutionBand, _ epilogue: Epilogue, into y: TensorRef,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    convolution(
      lines.lines(0..<band.lines.count), weight: own[1], bias: own.count > 2 ? own[2] : nil, band.geometry,
      enlarged: band.enlargement, epilogue, into: y, scratch: scratch, pool)
  }
}

extension DequantizedConvolution: LineLayer {
  typealias Lines = TensorRef

  func multiply(
    _ lines: TensorRef, _ own: [TensorRef], _ band: ConvolutionBand, _ epilogue: Epilogue, into y: TensorRef,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    convolution(
      lines.lines(0..<band.lines.count), weight: Int8Weight(panels: own[1], scales: own[2]),
      bias: own.count > 3 ? own[3] : nil, band.geometry, enlarged: band.enlargement, epilogue, into: y,
      scratch: scratch, pool)
  }
}

extension Int8Convolution: LineLayer {
  typealias Lines = Int8Rows

  func scratchBytes(ofLines x: TensorType, weight: TensorType, _ band: ConvolutionBand, threads: Int) -> Int {
    int8ConvolutionScratchBytes(
      x: x, weight: weight, band.geometry, enlarged: band.enlargement, epilogue: fusion.hasEpilogue,
      threads: threads)
  }

  func multiply(
    _ lines: Int8Rows, _ own: [TensorRef], _ band: ConvolutionBand, _ epilogue: Epilogue, into y: TensorRef,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    convolution(
      lines.lines(0..<band.lines.count), weight: Int8Weight(panels: own[1], scales: own[2]),
      bias: own.count > 3 ? own[3] : nil, band.geometry, enlarged: band.enlargement, epilogue, into: y,
      scratch: scratch, pool)
  }
}
