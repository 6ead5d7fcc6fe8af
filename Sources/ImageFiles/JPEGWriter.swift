import CJPEG
import Pictures

/// Writes a baseline JPEG strip by strip.
///
/// libturbojpeg encodes whole pictures only, so each strip of 16 rows is one; their pixels go into one file with a restart
/// marker between two strips (ITU-T T.81, B.2.4.4), since an encoder begins a file as it goes on after a restart, and
/// tables are the same for all of one quality. The pixels are those of the picture encoded at once. What stands before them
/// is ours: EXIF, profile, comments.
final class JPEGWriter: RowWriter {
  private static let stripRows = 16
  /// Of a segment's content.
  static let longest = 65_533

  private let encoder: OpaquePointer
  private let output: SinkBox
  private let extent: Extent
  private let segments: [[UInt8]]
  private var strip: [UInt8] = []
  private var written = 0
  private var restarts = 0

  /// - Parameters:
  ///   - exif: a TIFF structure; left out where a segment does not hold it.
  ///   - comments: UTF-8, of any length: a longer one goes on in the next segments.
  init(
    _ extent: Extent, quality: Int, profile: [UInt8]?, exif: [UInt8]?, comments: [String],
    into sink: @escaping ByteSink
  ) throws {
    self.extent = extent
    output = SinkBox(sink)
    let rows = min(Self.stripRows, extent.height)
    guard let encoder = cjpeg_writer_new(UInt32(extent.width), UInt32(rows), Int32(quality), quality < 90)
    else {
      throw EncodingFailure(reason: "out of memory")
    }
    self.encoder = encoder
    var segments: [[UInt8]] = []
    if let exif, exif.count <= Self.longest - EXIF.mark.count {
      segments.append(Self.segment(0xE1, EXIF.mark + exif))
    }
    segments += Self.segments(profile: profile ?? [])
    for comment in comments {
      let bytes = Array(comment.utf8)
      for start in stride(from: 0, through: bytes.count, by: Self.longest) {
        segments.append(Self.segment(0xFE, Array(bytes[start..<min(start + Self.longest, bytes.count)])))
      }
    }
    self.segments = segments
    strip.reserveCapacity(3 * extent.width * rows)
  }

  deinit { cjpeg_writer_free(encoder) }

  /// - Throws: `decoderMissing`.
  static func checkLibrary() throws(PictureFileError) {
    if !cjpeg_is_available() { throw .decoderMissing(path: "the result") }
  }

  /// What a comment is in the file: its key stands before all but A1111's line, which other programs look for.
  static func comment(_ key: String, _ value: String) -> String {
    key == "parameters" ? value : "\(key): \(value)"
  }

  /// The way back, for keys of ours.
  static func text(of comment: String) -> (String, String) {
    for key in ["Software", "pentimento"] where comment.hasPrefix("\(key): ") {
      return (key, String(comment.dropFirst(key.count + 2)))
    }
    return ("parameters", comment)
  }

  static func bytes(_ extent: Extent) -> Int {
    let rows = min(stripRows, extent.height)
    return 3 * extent.width * rows + cjpeg_writer_bytes(UInt32(extent.width), UInt32(rows))
      + SinkBox.blockBytes
  }

  func write(_ row: UnsafeBufferPointer<UInt8>) throws {
    strip.append(contentsOf: row)
    let rows = strip.count / (3 * extent.width)
    guard rows == Self.stripRows || written + rows == extent.height else { return }
    try encodeStrip(rows)
    strip.removeAll(keepingCapacity: true)
    written += rows
  }

  func finish() throws {
    try put([0xFF, 0xD9])
    try output.flush()
  }

  private func encodeStrip(_ rows: Int) throws {
    var count = 0
    guard let bytes = cjpeg_encode(encoder, strip, UInt32(rows), &count) else {
      throw EncodingFailure(reason: String(cString: cjpeg_writer_message(encoder)))
    }
    let file = UnsafeBufferPointer(start: bytes, count: count)
    guard let parts = Parts(file) else { throw EncodingFailure(reason: "a strip is no baseline JPEG") }
    if written == 0 {
      try put(head(parts))
    } else {
      try put([0xFF, UInt8(0xD0 + restarts % 8)])
      restarts += 1
    }
    if !output.write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(file)[parts.scan])) {
      try output.flush()
    }
  }

  /// Everything before the first strip's pixels.
  private func head(_ parts: Parts) -> [UInt8] {
    var head: [UInt8] = [0xFF, 0xD8] + parts.jfif
    for segment in segments { head += segment }
    head += parts.tables
    var frame = parts.frame
    (frame[5], frame[6]) = (UInt8(extent.height >> 8), UInt8(extent.height & 255))
    head += frame
    if extent.height > Self.stripRows {
      let side = 8 * parts.sampling
      let units = (extent.width + side - 1) / side * (Self.stripRows / side)
      head += Self.segment(0xDD, [UInt8(units >> 8), UInt8(units & 255)])
    }
    return head + parts.scanHeader
  }

  private func put(_ bytes: [UInt8]) throws {
    if !bytes.withUnsafeBytes({ output.write($0) }) { try output.flush() }
  }

  private static func segment(_ marker: UInt8, _ content: [UInt8]) -> [UInt8] {
    [0xFF, marker, UInt8((content.count + 2) >> 8), UInt8((content.count + 2) & 255)] + content
  }

  private static func segments(profile: [UInt8]) -> [[UInt8]] {
    let part = longest - ProfileParts.mark.count - 2
    let count = (profile.count + part - 1) / part
    guard count <= 255 else { return [] }
    return (0..<count).map { i in
      segment(
        0xE2,
        ProfileParts.mark + [UInt8(i + 1), UInt8(count)]
          + profile[i * part..<min((i + 1) * part, profile.count)])
    }
  }
}

/// The segments of a baseline file.
private struct Parts {
  var jfif: [UInt8] = []
  var tables: [UInt8] = []
  var frame: [UInt8] = []
  var scanHeader: [UInt8] = []
  /// The pixels, without what ends the file.
  var scan = 0..<0
  /// The first component's factor along a side: 1, or 2 where colour is halved.
  var sampling = 1

  init?(_ file: UnsafeBufferPointer<UInt8>) {
    guard file.count > 4, file[0] == 0xFF, file[1] == 0xD8, file[file.count - 2] == 0xFF,
      file[file.count - 1] == 0xD9
    else { return nil }
    var at = 2
    while at + 4 <= file.count, file[at] == 0xFF {
      let (marker, end) = (file[at + 1], at + 2 + Int(file[at + 2]) << 8 + Int(file[at + 3]))
      guard end <= file.count else { return nil }
      let segment = Array(file[at..<end])
      switch marker {
      case 0xE0: jfif = segment
      case 0xDB, 0xC4: tables += segment
      case 0xC0:
        guard segment.count >= 12 else { return nil }
        (frame, sampling) = (segment, Int(segment[11] & 15))
      case 0xDA:
        guard !frame.isEmpty, end <= file.count - 2 else { return nil }
        (scanHeader, scan) = (segment, end..<file.count - 2)
        return
      default: return nil
      }
      at = end
    }
    return nil
  }
}
