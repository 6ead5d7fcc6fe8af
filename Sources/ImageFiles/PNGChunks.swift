/// What a PNG says beside its pixels, from a walk over its chunks.
///
/// libpng would allocate what a chunk claims to hold; this reads 64 kB of one kind at most and passes over the rest.
/// Damage is left to the decoder to find.
struct PNGChunks {
  private(set) var orientation = Orientation.upright
  /// An ICC profile, a gamma or chromaticities of its own.
  private(set) var hasProfile = false

  private static let longestEXIF = 1 << 16

  init(_ input: PictureInput) {
    let cursor = InputCursor(input, bufferBytes: InputCursor.lookingBytes)
    cursor.skip(8)
    while cursor.position + 12 <= input.byteCount {
      let head = cursor.bytes(8)
      guard head.count == 8 else { return }
      let length = head[..<4].reduce(0) { $0 << 8 | Int($1) }
      var rest = length + 4
      switch String(decoding: head[4...], as: UTF8.self) {
      case "eXIf":
        let data = cursor.bytes(min(length, Self.longestEXIF))
        rest -= data.count
        orientation = Orientation(tiff: data[...]) ?? orientation
      case "iCCP", "gAMA", "cHRM": hasProfile = true
      case "IEND": return
      default: break
      }
      cursor.skip(rest)
    }
  }
}
