import CJPEG
import Pictures
import Platform

/// JPEG through libturbojpeg, which decodes into one whole picture.
enum JPEGReader {
  static func header(_ input: PictureInput) throws -> RasterHeader {
    let jpeg = try JPEGHeader(input)
    guard !cjpeg_is_missing() else { throw PictureFileError.decoderMissing(path: input.path) }
    guard cjpeg_is_available() else { throw SystemRefusal.memory(bytes: 1_000_000, code: ENOMEM) }
    return RasterHeader(
      stored: jpeg.stored, orientation: jpeg.orientation, bits: 8, isGrey: jpeg.components.count == 1,
      hasAlpha: false, color: jpeg.profile.map { FileColor(profile: $0) } ?? .plain, exif: jpeg.exif,
      coding: .jpeg(jpeg))
  }

  static func whole(_ input: PictureInput, _ header: RasterHeader, channels: Int) throws -> PixelBuffer {
    let pixels = try PixelBuffer(header.stored, bytesPerPixel: channels)
    let file = try PixelBuffer.allocate(input.byteCount)
    defer { free(file) }
    let cursor = InputCursor(input)
    let count = cursor.read(into: UnsafeMutableRawBufferPointer(start: file, count: input.byteCount))
    guard count == input.byteCount else { throw cursor.damage("it became shorter") }

    var message = [CChar](repeating: 0, count: Int(CJPEG_MESSAGE_BYTES))
    let outcome = cjpeg_decode(
      file, count, UInt32(header.stored.width), UInt32(header.stored.height), channels, pixels.start, &message
    )
    let text = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    guard outcome == CJPEG_WHOLE || outcome == CJPEG_WARNED && isHarmless(text) else {
      throw PictureFileError.damaged(path: input.path, reason: text)
    }
    return pixels
  }

  /// What libturbojpeg holds, and the file. Beside the coefficients of several scans these are rows: five rows of
  /// blocks, a pointer to each row, tables.
  static func bytes(_ input: PictureInput, _ jpeg: JPEGHeader) -> Int {
    input.byteCount + jpeg.coefficientBytes + 64 * (jpeg.stored.width + 64) + 8 * jpeg.stored.height
      + (128 << 10)
  }

  /// A warning otherwise means that pixels are missing and were filled. Some cameras put a few bytes between the
  /// last pixel and the end of the file.
  static func isHarmless(_ warning: String) -> Bool {
    let words = warning.split(separator: " ")
    return warning.hasSuffix("extraneous bytes before marker 0xd9")
      && words.compactMap { Int($0) }.allSatisfy { $0 <= 16 }
  }
}
