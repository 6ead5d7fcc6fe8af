extension Orientation {
  /// From the first directory of a TIFF structure, which is what EXIF is: tag 0x0112, a number from 1 to 8.
  ///
  /// Nil where there is none or the structure is not sound: a picture without orientation is upright. Some writers
  /// put the six bytes of JPEG's segment before it, also in PNG.
  init?(tiff bytes: ArraySlice<UInt8>) {
    let mark = Array("Exif\0\0".utf8)
    let tiff = bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes
    let isLittleEndian = tiff.starts(with: Array("II*\0".utf8))
    guard isLittleEndian || tiff.starts(with: [0x4D, 0x4D, 0, 0x2A]) else { return nil }

    /// Nil beyond the end.
    func number(_ count: Int, at offset: Int) -> Int? {
      guard offset >= 0, offset <= tiff.count - count else { return nil }
      let part = tiff[tiff.startIndex + offset..<tiff.startIndex + offset + count]
      return isLittleEndian
        ? part.reversed().reduce(0) { $0 << 8 | Int($1) } : part.reduce(0) { $0 << 8 | Int($1) }
    }

    guard let directory = number(4, at: 4), let count = number(2, at: directory) else { return nil }
    for entry in 0..<count {
      let at = directory + 2 + 12 * entry
      guard let tag = number(2, at: at), let type = number(2, at: at + 2), let values = number(4, at: at + 4)
      else { return nil }
      guard tag == 0x0112 else { continue }
      // 16 bits by the standard; some write 32.
      guard values == 1, let size = [3: 2, 4: 4][type], let value = number(size, at: at + 8) else {
        return nil
      }
      self.init(rawValue: value)
      return
    }
    return nil
  }
}
