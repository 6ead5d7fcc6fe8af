import Pictures

/// What a PNG says beside its pixels, from a walk over its chunks.
///
/// libpng would allocate what a chunk claims to hold; this reads what it has a use for, up to a length, and passes over the
/// rest. Damage is left to the decoder to find.
struct PNGChunks {
  private(set) var exif: EXIF?
  private(set) var colors = FileColor.Chunks()

  var orientation: Orientation { exif?.orientation ?? .upright }

  private static let longestEXIF = 1 << 16

  init(_ input: PictureInput) {
    let cursor = InputCursor(input, bufferBytes: InputCursor.lookingBytes)
    cursor.skip(8)
    while cursor.position + 12 <= input.byteCount {
      let head = cursor.bytes(8)
      guard head.count == 8 else { return }
      let length = head[..<4].reduce(0) { $0 << 8 | Int($1) }
      var rest = length + 4
      let name = String(decoding: head[4...], as: UTF8.self)
      switch name {
      case "eXIf":
        let data = cursor.bytes(min(length, Self.longestEXIF))
        rest -= data.count
        exif = EXIF(data[...]) ?? exif
      case "iCCP", "cICP", "sRGB", "gAMA", "cHRM":
        guard length <= ICCProfile.maximumBytes else { break }
        let data = cursor.bytes(length)
        rest -= data.count
        colors.take(name, data)
      case "IEND": return
      default: break
      }
      cursor.skip(rest)
    }
  }
}
