import Pictures

/// A TIFF structure, which is what EXIF is, looked at and changed where it lies.
///
/// Some writers put the six bytes of JPEG's segment before it, also in PNG.
struct EXIF {
  private(set) var tiff: [UInt8]
  private let isLittleEndian: Bool

  static let mark = Array("Exif\0\0".utf8)

  /// Nil where it does not begin as one.
  init?(_ bytes: ArraySlice<UInt8>) {
    tiff = Array(bytes.starts(with: Self.mark) ? bytes.dropFirst(Self.mark.count) : bytes)
    isLittleEndian = tiff.starts(with: Array("II*\0".utf8))
    guard isLittleEndian || tiff.starts(with: [0x4D, 0x4D, 0, 0x2A]) else { return nil }
  }

  /// 0x0112, a number from 1 to 8; nil where there is none or the structure is not sound.
  var orientation: Orientation? {
    entry(0x0112, in: number(4, at: 4)).flatMap(value).flatMap(Orientation.init(rawValue:))
  }

  /// What goes with an edit: the picture is upright and has this size, and a small copy of the old one is no more.
  ///
  /// Nil where the structure is not sound.
  func edited(_ extent: Extent) -> [UInt8]? {
    var copy = self
    guard let first = number(4, at: 4), let count = number(2, at: first) else { return nil }
    copy.set(0x0112, in: first, to: 1)
    copy.set(0x0100, in: first, to: extent.width)
    copy.set(0x0101, in: first, to: extent.height)
    if let details = entry(0x8769, in: first).flatMap(value) {
      copy.set(0xA002, in: details, to: extent.width)
      copy.set(0xA003, in: details, to: extent.height)
    }
    let next = first + 2 + 12 * count
    guard let second = number(4, at: next) else { return copy.tiff }
    if second != 0 {
      if let start = entry(0x0201, in: second).flatMap(value),
        let length = entry(0x0202, in: second).flatMap(value)
      {
        copy.clear(start, length)
      }
      if let entries = number(2, at: second) { copy.clear(second, 2 + 12 * entries + 4) }
      copy.clear(next, 4)
    }
    return copy.tiff
  }

  /// Nil beyond the end.
  private func number(_ count: Int, at offset: Int) -> Int? {
    guard offset >= 0, offset <= tiff.count - count else { return nil }
    let part = tiff[offset..<offset + count]
    return isLittleEndian
      ? part.reversed().reduce(0) { $0 << 8 | Int($1) } : part.reduce(0) { $0 << 8 | Int($1) }
  }

  /// Where the entry of a tag lies.
  private func entry(_ tag: Int, in directory: Int?) -> Int? {
    guard let directory, let count = number(2, at: directory) else { return nil }
    for i in 0..<count {
      let at = directory + 2 + 12 * i
      guard let here = number(2, at: at) else { return nil }
      if here == tag { return at }
    }
    return nil
  }

  /// Bytes of the one number of an entry: 16 bits by the standard, of 32 with some writers.
  private func size(_ entry: Int) -> Int? {
    guard number(4, at: entry + 4) == 1, let type = number(2, at: entry + 2) else { return nil }
    return [3: 2, 4: 4][type]
  }

  private func value(_ entry: Int) -> Int? { size(entry).flatMap { number($0, at: entry + 8) } }

  /// Where there is such an entry.
  private mutating func set(_ tag: Int, in directory: Int, to value: Int) {
    guard let at = entry(tag, in: directory), let size = size(at), number(size, at: at + 8) != nil else {
      return
    }
    for i in 0..<size {
      tiff[at + 8 + i] = UInt8(truncatingIfNeeded: value >> (8 * (isLittleEndian ? i : size - 1 - i)))
    }
  }

  /// Zeros.
  private mutating func clear(_ start: Int, _ count: Int) {
    guard start >= 8, start < tiff.count else { return }
    for i in start..<min(start + max(count, 0), tiff.count) { tiff[i] = 0 }
  }
}

extension Orientation {
  /// From EXIF. A picture without orientation is upright.
  init?(tiff bytes: ArraySlice<UInt8>) {
    guard let orientation = EXIF(bytes)?.orientation else { return nil }
    self = orientation
  }
}
