/// A part of a picture, in its pixels.
public struct Window: Sendable, Equatable {
  public var x: Int
  public var y: Int
  public var extent: Extent

  public init(x: Int, y: Int, extent: Extent) { (self.x, self.y, self.extent) = (x, y, extent) }

  /// `x,y,width,height`
  public var text: String { "\(x),\(y),\(extent.width),\(extent.height)" }

  public func isInside(_ whole: Extent) -> Bool {
    x >= 0 && y >= 0 && extent.width > 0 && extent.height > 0 && extent.width <= whole.width - x
      && extent.height <= whole.height - y
  }

  public func contains(x: Int, y: Int) -> Bool {
    (self.x..<self.x + extent.width).contains(x) && (self.y..<self.y + extent.height).contains(y)
  }

  /// The smallest one that has both.
  public func union(_ other: Window) -> Window {
    let (left, top) = (min(x, other.x), min(y, other.y))
    let right = max(x + extent.width, other.x + other.extent.width)
    let bottom = max(y + extent.height, other.y + other.extent.height)
    return Window(x: left, y: top, extent: Extent(width: right - left, height: bottom - top))
  }
}

extension Window {
  /// What a model is shown of a picture whose region changes: the region with a quarter of its side around it, and as much as
  /// fills the model's size at the picture's own resolution. Nil where that is most of the picture.
  ///
  /// - Parameters:
  ///   - region: inside the picture.
  ///   - side: of the square that has the model's area.
  public init?(around region: Window, of picture: Extent, side: Int) {
    guard picture.width * picture.height > side * side * 3 / 2 else { return nil }
    func wanted(_ length: Int) -> Int { max(length * 3 / 2, length + 64) }
    var (width, height) = (wanted(region.extent.width), wanted(region.extent.height))
    if width <= side, height <= side {
      (width, height) = (side, side)
    } else {
      // No more than twice as long as wide, and no smaller than what the model works on.
      (width, height) = (max(width, height / 2), max(height, width / 2))
      let scale = (Double(side * side) / Double(width * height)).squareRoot()
      if scale > 1 { (width, height) = (Int(Double(width) * scale), Int(Double(height) * scale)) }
    }
    (width, height) = (min(width, picture.width), min(height, picture.height))
    guard 10 * width * height <= 7 * picture.width * picture.height else { return nil }
    func start(_ region: Int, _ length: Int, _ size: Int, _ whole: Int) -> Int {
      min(max(region + length / 2 - size / 2, 0), whole - size)
    }
    self.init(
      x: start(region.x, region.extent.width, width, picture.width),
      y: start(region.y, region.extent.height, height, picture.height),
      extent: Extent(width: width, height: height))
  }

  /// Where a mask laid over a picture lets it change; nil where nowhere. Takes one pass over the mask.
  public init?(of mask: any MaskSource, over picture: Extent) throws {
    var line = [UInt8](repeating: 0, count: mask.extent.width)
    let rows = try mask.pass()
    var (left, right, top, bottom) = (Int.max, -1, Int.max, -1)
    for y in 0..<mask.extent.height {
      try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
      guard let first = line.firstIndex(where: { $0 > 0 }), let last = line.lastIndex(where: { $0 > 0 })
      else { continue }
      (left, right, top, bottom) = (min(left, first), max(right, last), min(top, y), y)
    }
    guard right >= 0 else { return nil }
    // Outwards to whole pixels of the picture.
    func start(_ i: Int, _ from: Int, _ to: Int) -> Int { i * to / from }
    func end(_ i: Int, _ from: Int, _ to: Int) -> Int { min(((i + 1) * to + from - 1) / from, to) }
    let (x, y) = (
      start(left, mask.extent.width, picture.width), start(top, mask.extent.height, picture.height)
    )
    self.init(
      x: x, y: y,
      extent: Extent(
        width: end(right, mask.extent.width, picture.width) - x,
        height: end(bottom, mask.extent.height, picture.height) - y))
  }
}

/// A window of a picture.
public struct WindowedPicture: PictureSource {
  private let picture: any PictureSource
  private let window: Window

  public init(_ picture: any PictureSource, _ window: Window) {
    precondition(window.isInside(picture.extent), "\(window) of \(picture.extent)")
    (self.picture, self.window) = (picture, window)
  }

  public var extent: Extent { window.extent }
  public var passBytes: Int { picture.passBytes + 3 * picture.extent.width }
  public func pass() throws -> any RowPass {
    WindowedRows(try picture.pass(), of: picture.extent, to: window, channels: 3)
  }
}

/// A window of a mask that has the picture's size.
public struct WindowedMask: MaskSource {
  private let mask: any MaskSource
  private let window: Window

  public init(_ mask: any MaskSource, _ window: Window) {
    precondition(window.isInside(mask.extent), "\(window) of \(mask.extent)")
    (self.mask, self.window) = (mask, window)
  }

  public var extent: Extent { window.extent }
  public var comesFromAlpha: Bool { mask.comesFromAlpha }
  public var passBytes: Int { mask.passBytes + mask.extent.width }
  public func pass() throws -> any RowPass {
    WindowedRows(try mask.pass(), of: mask.extent, to: window, channels: 1)
  }
}

/// All rows are read, since whether a file is sound is known at its end.
private final class WindowedRows: RowPass {
  private let rows: any RowPass
  private let (whole, window): (Extent, Window)
  private let channels: Int
  private var line: [UInt8]
  private var read = 0
  private var given = 0

  init(_ rows: any RowPass, of whole: Extent, to window: Window, channels: Int) {
    (self.rows, self.whole, self.window, self.channels) = (rows, whole, window, channels)
    line = [UInt8](repeating: 0, count: channels * whole.width)
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    while read <= window.y + given { try advance() }
    let start = channels * window.x
    _ = row.update(fromContentsOf: line[start..<start + channels * window.extent.width])
    given += 1
    if given == window.extent.height { while read < whole.height { try advance() } }
  }

  private func advance() throws {
    try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
    read += 1
  }
}

/// A mask of a window as one of the whole picture: nothing may change outside.
public struct PlacedMask: MaskSource {
  private let mask: any MaskSource
  private let window: Window
  public let extent: Extent

  public init(_ mask: any MaskSource, at window: Window, of extent: Extent) {
    precondition(mask.extent == window.extent)
    (self.mask, self.window, self.extent) = (mask, window, extent)
  }

  public var comesFromAlpha: Bool { mask.comesFromAlpha }
  public var passBytes: Int { mask.passBytes + window.extent.width }
  public func pass() throws -> any RowPass { Rows(try mask.pass(), window) }

  private final class Rows: RowPass {
    private let rows: any RowPass
    private let window: Window
    private var line: [UInt8]
    private var y = 0

    init(_ rows: any RowPass, _ window: Window) {
      (self.rows, self.window) = (rows, window)
      line = [UInt8](repeating: 0, count: window.extent.width)
    }

    func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
      row.update(repeating: 0)
      if (window.y..<window.y + window.extent.height).contains(y) {
        try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
        for x in line.indices { row[window.x + x] = line[x] }
      }
      y += 1
    }
  }
}
