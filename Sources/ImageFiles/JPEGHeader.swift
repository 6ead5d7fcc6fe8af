import Pictures

/// What a JPEG file says before its first scan (ITU-T T.81, annex B), from a walk over its segments.
struct JPEGHeader: Equatable, Sendable {
  /// One colour channel of the frame.
  struct Component: Equatable, Sendable {
    /// Sampling factors, 1…4.
    var horizontal: Int
    var vertical: Int
  }

  var stored: Extent
  var components: [Component]
  /// The pixels come in several scans, so that the decoder keeps all coefficients.
  var hasManyScans: Bool
  var isProgressive: Bool
  var exif: [UInt8]?
  /// Whole, or nothing.
  var profile: [UInt8]?

  var orientation: Orientation { exif.flatMap { EXIF($0[...])?.orientation } ?? .upright }

  /// Coefficients that a decoder of several scans keeps: two bytes a sample, components padded to whole blocks and
  /// to whole units of the coarsest one.
  var coefficientBytes: Int {
    guard hasManyScans else { return 0 }
    let (across, down) = (components.map(\.horizontal).max()!, components.map(\.vertical).max()!)
    return components.reduce(0) { sum, component in
      /// Blocks of 8 along a side.
      func blocks(_ side: Int, _ factor: Int, _ most: Int) -> Int {
        let count = (side * factor + 8 * most - 1) / (8 * most)
        return (count + factor - 1) / factor * factor
      }
      return sum + 128 * blocks(stored.width, component.horizontal, across)
        * blocks(stored.height, component.vertical, down)
    }
  }

  /// - Throws: `damaged`, or `unsupported` for what is not read: CMYK, lossless, 12 bits, arithmetic coding.
  init(_ input: PictureInput) throws(PictureFileError) {
    let cursor = InputCursor(input, bufferBytes: InputCursor.lookingBytes)
    var (frame, isProgressive): (Frame?, Bool) = (nil, false)
    var exif: [UInt8]?
    var parts = ProfileParts()
    func damaged(_ reason: String) -> PictureFileError { cursor.damage(reason) }
    func unsupported(_ kind: String) -> PictureFileError { .unsupported(path: input.path, format: kind) }

    /// All of a segment, or its first bytes.
    func data(_ length: Int, atMost count: Int = .max) throws(PictureFileError) -> [UInt8] {
      let bytes = cursor.bytes(min(length, count))
      guard bytes.count == min(length, count) else { throw damaged("it ends in a segment") }
      cursor.skip(length - bytes.count)
      return bytes
    }

    cursor.skip(2)
    while true {
      let marker = try Self.nextMarker(cursor)
      if marker == 0x01 || (0xD0...0xD7).contains(marker) { continue }  // nothing follows them
      guard marker != 0xD8, marker != 0xD9 else { throw damaged("it has no pixels") }
      let size = cursor.bytes(2)
      guard size.count == 2 else { throw damaged("it ends before its pixels") }
      let length = Int(size[0]) << 8 + Int(size[1]) - 2
      guard length >= 0 else { throw damaged("a segment has no length") }
      switch marker {
      case 0xC0, 0xC1, 0xC2:
        guard frame == nil else { throw damaged("it has two headers") }
        isProgressive = marker == 0xC2
        frame = Frame(try data(length))
        guard let frame else { throw damaged("its header is no header") }
        if frame.bits != 8 { throw unsupported("JPEG of \(frame.bits) bits") }
        if frame.components.count == 4 { throw unsupported("CMYK JPEG") }
        guard [1, 3].contains(frame.components.count) else {
          throw unsupported("JPEG of \(frame.components.count) components")
        }
        if frame.extent.height == 0 { throw unsupported("JPEG without a height in its header") }
        if frame.extent.width == 0 { throw damaged("its header states no valid width") }
      case 0xC3: throw unsupported("lossless JPEG")
      case 0xC9, 0xCA, 0xCB: throw unsupported("arithmetic-coded JPEG")
      case 0xC5...0xC7, 0xCD...0xCF: throw unsupported("hierarchical JPEG")
      case 0xE1:
        let bytes = try data(length)
        if exif == nil, bytes.starts(with: EXIF.mark), EXIF(bytes[...]) != nil { exif = bytes }
      case 0xE2:
        // Other segments of this number may be of any size, and many: pictures beside the first.
        let start = cursor.bytes(min(length, ProfileParts.mark.count))
        guard start == ProfileParts.mark else {
          cursor.skip(length - start.count)
          break
        }
        parts.add(try data(length - start.count))
      case 0xDA:
        guard let frame else { throw damaged("its pixels come before its header") }
        guard let count = try data(length).first, (1...frame.components.count).contains(Int(count)) else {
          throw damaged("a scan has no valid number of components")
        }
        stored = frame.extent
        components = frame.components
        self.isProgressive = isProgressive
        hasManyScans = isProgressive || Int(count) < frame.components.count
        self.exif = exif
        profile = parts.whole
        return
      default: cursor.skip(length)
      }
    }
  }

  /// Bytes between segments are passed over, as decoders do.
  private static func nextMarker(_ cursor: InputCursor) throws(PictureFileError) -> UInt8 {
    var isMark = false
    while let byte = cursor.nextByte() {
      if isMark, byte != 0, byte != 0xFF { return byte }
      isMark = byte == 0xFF
    }
    throw cursor.damage("it ends before its pixels")
  }
}

/// The frame header (B.2.2).
private struct Frame {
  var bits: Int
  var extent: Extent
  var components: [JPEGHeader.Component]

  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 6, bytes.count == 6 + 3 * Int(bytes[5]) else { return nil }
    bits = Int(bytes[0])
    extent = Extent(width: Int(bytes[3]) << 8 | Int(bytes[4]), height: Int(bytes[1]) << 8 | Int(bytes[2]))
    components = (0..<Int(bytes[5])).map {
      let factors = bytes[6 + 3 * $0 + 1]
      return JPEGHeader.Component(horizontal: Int(factors >> 4), vertical: Int(factors & 15))
    }
    guard components.allSatisfy({ (1...4).contains($0.horizontal) && (1...4).contains($0.vertical) }) else {
      return nil
    }
  }
}

/// A profile comes in segments of 64 kB, each with its number and how many there are (ICC.1:2022, B.4).
struct ProfileParts {
  static let mark = Array("ICC_PROFILE\0".utf8)

  private var parts: [Int: [UInt8]] = [:]
  private var count = 0
  private var bytes = 0

  mutating func add(_ segment: [UInt8]) {
    guard segment.count > 2, bytes + segment.count <= ICCProfile.maximumBytes else { return }
    count = Int(segment[1])
    bytes += segment.count
    parts[Int(segment[0])] = Array(segment[2...])
  }

  /// Nil where a part is missing.
  var whole: [UInt8]? {
    guard count > 0, parts.count == count else { return nil }
    let ordered = (1...count).compactMap { parts[$0] }
    return ordered.count == count ? Array(ordered.joined()) : nil
  }
}
