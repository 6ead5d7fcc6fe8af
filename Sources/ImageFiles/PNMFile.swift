import Platform

/// Binary PGM (`P5`) and PPM (`P6`): a header of words, then rows of samples, most significant byte first.
enum PNMFile {
  static func read(
    _ file: borrowing InputFile, as layout: Raster.Layout
  ) throws(PictureFileError) -> Raster {
    let isGrey = file.start(byteCount: 2) == Array("P5".utf8)
    let width = try headerNumber(file, "width", in: 1...Int(Int32.max))
    let height = try headerNumber(file, "height", in: 1...Int(Int32.max))
    let top = try headerNumber(file, "largest value", in: 1...65_535)
    try PictureFile.check(width: width, height: height, of: file.path)

    let stored = isGrey ? 1 : 3
    let channels = layout == .rgb ? 3 : stored
    let copies = channels / stored
    let bytesPerSample = top > 255 ? 2 : 1
    let levels = (0...top).map { UInt8(($0 * 255 + top / 2) / top) }

    var samples = [UInt8](repeating: 0, count: width * height * channels)
    var row = [UInt8](repeating: 0, count: width * stored * bytesPerSample)
    for y in 0..<height {
      guard file.read(into: &row) == row.count else {
        throw .damaged(path: file.path, reason: "it ends in row \(y + 1) of \(height)")
      }
      var next = y * width * channels
      for i in 0..<width * stored {
        let value = bytesPerSample == 1 ? Int(row[i]) : Int(row[2 * i]) << 8 | Int(row[2 * i + 1])
        guard value <= top else {
          throw .damaged(path: file.path, reason: "row \(y + 1) has the value \(value) above \(top)")
        }
        for _ in 0..<copies {
          samples[next] = levels[value]
          next += 1
        }
      }
    }
    return Raster(width: width, height: height, channels: channels, samples: samples)
  }

  static func write(_ raster: Raster, to path: String) throws(PictureFileError) {
    let header = "P\(raster.channels == 1 ? 5 : 6)\n\(raster.width) \(raster.height)\n255\n"
    try OutputFile.write(to: path) { stream in
      raster.samples.withUnsafeBytes { samples in
        guard fwrite(Array(header.utf8), 1, header.utf8.count, stream) == header.utf8.count else {
          return currentError()
        }
        for start in stride(from: 0, to: samples.count, by: 1 << 20) {
          let part = samples[start..<min(start + (1 << 20), samples.count)]
          guard
            fwrite(UnsafeRawBufferPointer(rebasing: part).baseAddress, 1, part.count, stream) == part.count
          else {
            return currentError()
          }
          // What is written must not pile up in the page cache, which counts under a memory limit.
          if fflush(stream) == 0 { posix_fadvise(fileno(stream), 0, 0, POSIX_FADV_DONTNEED) }
        }
        return nil
      }
    }
  }

  /// The next number, after white space and comments (`#` to the end of the line), and the one byte behind
  /// it.
  private static func headerNumber(
    _ file: borrowing InputFile, _ name: String, in range: ClosedRange<Int>
  ) throws(PictureFileError) -> Int {
    func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
    var byte = file.nextByte()
    while let seen = byte, isSpace(seen) || seen == UInt8(ascii: "#") {
      if seen == UInt8(ascii: "#") {
        repeat { byte = file.nextByte() } while byte != nil && byte != 10 && byte != 13
      } else {
        byte = file.nextByte()
      }
    }
    var number: Int?
    while let seen = byte, let digit = Character(UnicodeScalar(seen)).wholeNumberValue, seen < 128 {
      number = min((number ?? 0) * 10 + digit, range.upperBound + 1)
      byte = file.nextByte()
    }
    guard let number, range.contains(number), let end = byte, isSpace(end) || end == UInt8(ascii: "#") else {
      throw .damaged(path: file.path, reason: "its header states no valid \(name)")
    }
    // A comment straight behind the number ends in the newline that separates it.
    if end == UInt8(ascii: "#") {
      repeat { byte = file.nextByte() } while byte != nil && byte != 10 && byte != 13
    }
    return number
  }
}
