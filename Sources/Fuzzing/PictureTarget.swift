import ImageFiles
import Platform
import Tensors

/// Pictures: headers and chunks, segments, EXIF, and the decoders behind them.
struct PictureTarget: FuzzTarget {
  let seeds: [[[UInt8]]]
  let words: [String]
  let isText = false
  /// Whether the checksums of PNG are written again.
  private let hasChunks: Bool

  /// Decoding takes too long above.
  private static let largestArea = 1 << 18

  static func png(_ fixtures: String) throws -> PictureTarget {
    let plain = try contents("\(fixtures)/pictures/grey.png")
    let color = try contents("\(fixtures)/pictures/held-1.png")
    // An entry of orientation 6 behind the header.
    let exif: [UInt8] = [
      0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
    ]
    let turned = color[..<33] + chunk(Array("eXIf".utf8) + exif) + color[33...]
    return PictureTarget(
      seeds: [[plain], [color], [Array(turned)]],
      words: ["IHDR", "PLTE", "tRNS", "IDAT", "IEND", "eXIf", "tEXt", "iCCP", "sPLT", "Exif\0\0", "MM\0*"],
      hasChunks: true)
  }

  static func jpeg(_ fixtures: String) throws -> PictureTarget {
    let names = ["baseline-420", "progressive-444", "grey", "held-6", "restarts"]
    return PictureTarget(
      seeds: try names.map { [try contents("\(fixtures)/pictures/\($0).jpg")] },
      words: ["Exif\0\0", "MM\0*", "II*\0", "ICC_PROFILE\0", "Adobe", "JFIF\0"], hasChunks: false)
  }

  func mutated(_ part: [UInt8], other: [UInt8], _ mutator: inout Mutator) -> [UInt8] {
    let changed = mutator.mutate(part, other: other)
    return hasChunks && mutator.below(4) > 0 ? withChecksums(changed) : changed
  }

  func read(_ parts: [[UInt8]], in folder: String) throws {
    let path = "\(folder)/picture"
    try write(parts[0], to: path)
    let picture = try OpenPicture(path, alpha: .onWhite)
    let extent = picture.extent
    guard extent.width > 0, extent.height > 0, picture.passBytes > 0 else { throw Broken("\(extent)") }
    guard extent.width * extent.height <= Self.largestArea else { return }
    let first = try Picture(reading: picture)
    guard try Picture(reading: picture) == first else { throw Broken("two passes differ") }
    guard try MaskPicture(reading: OpenMask(path)).extent == extent else {
      throw Broken("the mask's size differs")
    }
  }

  /// The file with the checksum of every chunk that is whole.
  private func withChecksums(_ file: [UInt8]) -> [UInt8] {
    var file = file
    var at = 8
    while at + 12 <= file.count {
      let length = file[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= file.count - at - 12 else { break }
      let end = at + 12 + length
      file.replaceSubrange(at..<end, with: Self.chunk(Array(file[at + 4..<end - 4])))
      at = end
    }
    return file
  }

  /// - Parameter body: type and data.
  private static func chunk(_ body: [UInt8]) -> [UInt8] {
    func bytes(_ number: UInt32) -> [UInt8] {
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }
    var crc = ~UInt32(0)
    for byte in body {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return bytes(UInt32(body.count - 4)) + body + bytes(~crc)
  }

  private static func contents(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else { throw Broken("\(path) cannot be read") }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
    return bytes
  }
}
