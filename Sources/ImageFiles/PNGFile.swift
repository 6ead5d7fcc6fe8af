import CPNG

/// PNG through libpng; see `cpng.h` for what is converted to what.
enum PNGFile {
  static func read(
    _ file: borrowing InputFile, as layout: Raster.Layout, alpha: PictureFile.Alpha
  ) throws(PictureFileError) -> Raster {
    var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_BYTES))
    var header = cpng_header()
    guard cpng_read(file.stream, &header, nil, 0, &message) else {
      throw .damaged(path: file.path, reason: text(message))
    }
    let (width, height) = (Int(header.width), Int(header.height))
    try PictureFile.check(width: width, height: height, of: file.path)

    let channels = alpha == .onWhite ? 4 : layout == .stored && header.grey ? 1 : 3
    var samples = [UInt8](repeating: 0, count: width * height * channels)
    file.rewind()
    guard cpng_read(file.stream, &header, &samples, channels, &message) else {
      throw .damaged(path: file.path, reason: text(message))
    }
    if channels == 4 { layOverWhite(&samples) }
    return Raster(width: width, height: height, channels: min(channels, 3), samples: samples)
  }

  /// RGBA → RGB in place: round((alpha·colour + (255 − alpha)·255)/255).
  private static func layOverWhite(_ samples: inout [UInt8]) {
    let count = samples.count / 4
    for pixel in 0..<count {
      let alpha = Int(samples[4 * pixel + 3])
      for c in 0..<3 {
        let color = Int(samples[4 * pixel + c])
        samples[3 * pixel + c] = UInt8((alpha * color + (255 - alpha) * 255 + 127) / 255)
      }
    }
    samples.removeLast(count)
  }

  static func write(
    _ raster: Raster, to path: String, metadata: [(String, String)]
  ) throws(PictureFileError) {
    var texts: [CChar] = []
    for (key, value) in metadata {
      guard isKey(key), !value.utf8.contains(0) else { throw .invalidMetadata(key: key) }
      texts += (Array(key.utf8) + [0] + Array(value.utf8) + [0]).map(CChar.init(bitPattern:))
    }
    try OutputFile.write(to: path) { stream in
      var message = [CChar](repeating: 0, count: Int(CPNG_MESSAGE_BYTES))
      let isWritten = cpng_write(
        stream, UInt32(raster.width), UInt32(raster.height), raster.channels, raster.samples, texts,
        metadata.count, &message)
      return isWritten ? nil : text(message)
    }
  }

  /// PNG, third edition, 11.3.3.1, narrowed to ASCII: the same bytes in Latin-1 and UTF-8.
  private static func isKey(_ key: String) -> Bool {
    (1...79).contains(key.utf8.count) && key.utf8.allSatisfy { (32..<127).contains($0) }
      && !key.hasPrefix(" ") && !key.hasSuffix(" ")
      && !zip(key.utf8, key.utf8.dropFirst()).contains { $0 == (32, 32) }
  }

  /// The C string in `message`.
  private static func text(_ message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
