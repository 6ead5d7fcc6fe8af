/// What a file is, told from its first bytes.
enum PictureFormat: Equatable {
  case png
  /// Binary PGM (`P5`) or PPM (`P6`).
  case pnm
  case jpeg
  /// Recognized, not read.
  case foreign(String)

  /// Nil: none of the formats below. `start` is the first 12 bytes, or fewer if the file is shorter.
  init?(start: [UInt8]) {
    func has(_ text: String, at offset: Int = 0) -> Bool {
      start.dropFirst(offset).starts(with: text.utf8)
    }
    // Four bytes of eight, so that libpng can say how the rest of a damaged signature came about.
    if start.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      self = .png
    } else if start.count > 2, has("P"), [0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x23].contains(start[2]) {
      switch start[1] {
      case UInt8(ascii: "5"), UInt8(ascii: "6"): self = .pnm
      case UInt8(ascii: "1"), UInt8(ascii: "4"): self = .foreign("PBM")
      case UInt8(ascii: "2"), UInt8(ascii: "3"): self = .foreign("plain-text PGM or PPM")
      case UInt8(ascii: "7"): self = .foreign("PAM")
      default: return nil
      }
    } else if start.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if has("RIFF"), has("WEBP", at: 8) {
      self = .foreign("WebP")
    } else if has("GIF8") {
      self = .foreign("GIF")
    } else if has("II*\0") || has("MM\0*") {
      self = .foreign("TIFF")
    } else if has("ftypavif", at: 4) {
      self = .foreign("AVIF")
    } else if has("ftyphei", at: 4) || has("ftypmif1", at: 4) {
      self = .foreign("HEIC")
    } else if has("BM"), has("\0\0\0\0", at: 6) {
      self = .foreign("BMP")
    } else {
      return nil
    }
  }
}
