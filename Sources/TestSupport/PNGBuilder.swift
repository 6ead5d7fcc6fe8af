/// A PNG put together by hand, independently of the library under test: every colour type, bit depth and
/// interlace method, in stored (uncompressed) deflate blocks.
package struct PNGBuilder {
  package enum Color: Int, CaseIterable {
    case grey = 0
    case rgb = 2
    case palette = 3
    case greyAlpha = 4
    case rgba = 6

    package var channels: Int { [.grey: 1, .rgb: 3, .palette: 1, .greyAlpha: 2, .rgba: 4][self]! }
    package var depths: [Int] {
      switch self {
      case .grey: [1, 2, 4, 8, 16]
      case .palette: [1, 2, 4, 8]
      default: [8, 16]
      }
    }
  }

  package var width: Int
  package var height: Int
  package var color: Color
  package var depth: Int
  package var isInterlaced = false
  /// Chunks between IHDR and IDAT.
  package var ancillary: [(type: String, data: [UInt8])] = []
  /// (x, y, channel) → 0..<2^depth
  package var sample: (Int, Int, Int) -> Int

  package init(
    width: Int, height: Int, color: Color, depth: Int, isInterlaced: Bool = false,
    ancillary: [(type: String, data: [UInt8])] = [], sample: @escaping (Int, Int, Int) -> Int
  ) {
    (self.width, self.height, self.color, self.depth) = (width, height, color, depth)
    (self.isInterlaced, self.ancillary, self.sample) = (isInterlaced, ancillary, sample)
  }

  package var bytes: [UInt8] {
    var file = Self.signature
    let methods: [UInt8] = [UInt8(depth), UInt8(color.rawValue), 0, 0, isInterlaced ? 1 : 0]
    file += Self.chunk("IHDR", bigEndian(width) + bigEndian(height) + methods)
    for chunk in ancillary { file += Self.chunk(chunk.type, chunk.data) }
    file += Self.chunk("IDAT", Self.zlib(rows))
    return file + Self.chunk("IEND", [])
  }

  package static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Filter byte 0 and packed samples for each row of each pass.
  private var rows: [UInt8] {
    let adam7 = [
      (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
    ]
    var out: [UInt8] = []
    for (x0, y0, dx, dy) in isInterlaced ? adam7 : [(0, 0, 1, 1)] where x0 < width {
      for y in stride(from: y0, to: height, by: dy) {
        out.append(0)
        var (pending, bits) = (0, 0)
        for x in stride(from: x0, to: width, by: dx) {
          for c in 0..<color.channels {
            pending = pending << depth | sample(x, y, c)
            bits += depth
            while bits >= 8 {
              bits -= 8
              out.append(UInt8(truncatingIfNeeded: pending >> bits))
            }
          }
        }
        if bits > 0 { out.append(UInt8(truncatingIfNeeded: pending << (8 - bits))) }
      }
    }
    return out
  }

  package static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + data
    return bigEndian(data.count) + body + bigEndian(crc(body))
  }

  package static func zlib(_ data: [UInt8]) -> [UInt8] {
    var out: [UInt8] = [0x78, 0x01]
    var start = 0
    repeat {
      let end = min(start + 65_535, data.count)
      let length = end - start
      out += [end == data.count ? 1 : 0, UInt8(length & 255), UInt8(length >> 8)]
      out += [UInt8(~length & 255), UInt8(~length >> 8 & 255)] + data[start..<end]
      start = end
    } while start < data.count
    var (a, b) = (1, 0)
    for byte in data {
      a = (a + Int(byte)) % 65_521
      b = (b + a) % 65_521
    }
    return out + bigEndian(b << 16 | a)
  }

  package static func crc(_ bytes: [UInt8]) -> Int {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return Int(~crc)
  }
}

package func bigEndian(_ number: Int) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
}

/// The chunks of a PNG as written.
package func chunks(of file: [UInt8]) -> [(type: String, data: [UInt8])] {
  var found: [(String, [UInt8])] = []
  var at = 8
  while at + 12 <= file.count {
    let length = file[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
    let type = String(decoding: file[at + 4..<at + 8], as: UTF8.self)
    found.append((type, Array(file[at + 8..<at + 8 + length])))
    at += 12 + length
  }
  return found
}
