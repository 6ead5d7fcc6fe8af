import Tensors

/// Something with rows of 8-bit samples that can be read from the top as often as it is needed.
///
/// A file is one, and so is a picture in memory or what another source becomes on its way. Everything that has to be
/// known before memory is taken is known without reading a pixel.
public protocol RowSource: Sendable {
  /// Pixels, upright: whatever a file says about how it was held is already done.
  var extent: Extent { get }

  /// What one pass holds beside the rows that it hands out, at most: bytes, buffers of a decoder included. What lies
  /// in memory anyway, a picture that is its own source, does not count.
  var passBytes: Int { get }

  /// Starts at the first row.
  func pass() throws -> any RowPass
}

/// One way through the rows of a source, from the first to the last, on one thread.
public protocol RowPass: AnyObject {
  /// The next row. `row` has the room of exactly one; there are as many as the source is high.
  ///
  /// - Throws: why the row cannot be had. The last row also throws what is only known at the end: that the file is
  ///   cut off, or is not what it was in an earlier pass.
  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws
}

/// Rows of `[width, 3]`: red, green, blue.
public protocol PictureSource: RowSource {}

/// Rows of `[width]`: 255 = editable, 0 = keep.
public protocol MaskSource: RowSource {
  /// Whether the mask is what a file has as its transparency. Settled by the first `pass()`; false before.
  var comesFromAlpha: Bool { get }
}

extension MaskSource {
  public var comesFromAlpha: Bool { false }
}

extension Picture: PictureSource {
  public var extent: Extent { Extent(width: width, height: height) }
  public var passBytes: Int { 0 }
  public func pass() -> any RowPass { MemoryPass(pixels, rowBytes: 3 * width) }

  /// Reads a source in one pass. Takes `source.passBytes` beside the result.
  public init(reading source: some PictureSource) throws {
    let size = source.extent
    self.init(
      width: size.width, height: size.height,
      pixels: try collect(source.pass(), rows: size.height, rowBytes: 3 * size.width))
  }
}

extension MaskPicture: MaskSource {
  public var extent: Extent { Extent(width: width, height: height) }
  public var passBytes: Int { 0 }
  public func pass() -> any RowPass { MemoryPass(pixels, rowBytes: width) }

  /// Reads a source in one pass. Takes `source.passBytes` beside the result.
  public init(reading source: some MaskSource) throws {
    let size = source.extent
    self.init(
      width: size.width, height: size.height,
      pixels: try collect(source.pass(), rows: size.height, rowBytes: size.width))
  }
}

/// Rows that lie in memory, or the first part of each.
final class MemoryPass: RowPass {
  private let samples: [UInt8]
  private let rowBytes: Int
  private var y = 0

  init(_ samples: [UInt8], rowBytes: Int) { (self.samples, self.rowBytes) = (samples, rowBytes) }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) {
    _ = row.update(fromContentsOf: samples[y * rowBytes..<y * rowBytes + row.count])
    y += 1
  }
}

/// So many rows of a pass, one after the other.
func collect(_ pass: any RowPass, rows: Int, rowBytes: Int) throws -> [UInt8] {
  try [UInt8](unsafeUninitializedCapacity: rows * rowBytes) { samples, count in
    for y in 0..<rows {
      try pass.next(into: UnsafeMutableBufferPointer(rebasing: samples[y * rowBytes..<(y + 1) * rowBytes]))
    }
    count = rows * rowBytes
  }
}

/// For sources that lie in memory, which nothing can keep from being read.
func inMemory<Result>(_ body: () throws -> Result) -> Result {
  do { return try body() } catch { preconditionFailure("reading memory failed: \(error)") }
}
