import Pictures

/// An ICC profile as far as colours of matrix profiles need it (ICC.1:2022).
///
/// Read: three columns and three curves of a display's profile, or the one curve of a grey one. Everything else (tables,
/// CMYK) is not understood, and no reason to refuse a picture.
enum ICCProfile {
  /// Larger ones are not read.
  static let maximumBytes = 4 << 20

  /// What a profile says of red, green and blue samples, or of grey ones; nil where it is not understood.
  static func space(_ profile: [UInt8]) -> ColorSpace? {
    guard let tags = Tags(profile), tags.isXYZ else { return nil }
    let space: ColorSpace?
    switch tags.colorSpace {
    case "RGB ":
      let columns = ["rXYZ", "gXYZ", "bXYZ"].compactMap(tags.column)
      let curves = ["rTRC", "gTRC", "bTRC"].compactMap(tags.curve)
      guard columns.count == 3, curves.count == 3 else { return nil }
      space = ColorSpace(curves: curves, toXYZ: Matrix3((0..<9).map { columns[$0 % 3][$0 / 3] }))
    case "GRAY":
      guard let curve = tags.curve("kTRC") else { return nil }
      space = ColorSpace(curves: [curve, curve, curve], toXYZ: ColorSpace.sRGB.toXYZ)
    default: return nil
    }
    return space.flatMap { $0.isReversible ? $0 : nil }
  }

  /// Whether it is meant for red, green and blue samples.
  static func isOfColor(_ profile: [UInt8]) -> Bool { Tags(profile)?.colorSpace == "RGB " }

  /// What it calls itself, in printable ASCII.
  static func name(_ profile: [UInt8]) -> String { Tags(profile)?.text("desc") ?? "without a name" }

  /// A display's profile, version 2.4, for colours that came without one.
  static func profile(of space: ColorSpace) -> [UInt8] {
    let text = Array("pentimento".utf8)
    // Behind the text and its end: codes and lengths of two other texts, which there are not, and 67 bytes for the last.
    let description = all("desc".ascii, be(0, 4), be(text.count + 1, 4), text, [0], be(0, 4 + 4 + 2 + 1 + 67))
    var datas: [(String, [UInt8])] = [
      ("desc", description), ("cprt", all("text".ascii, be(0, 4), "CC0".ascii, [0])),
      ("wtpt", xyz([0.9642, 1, 0.8249])),
    ]
    for (c, name) in ["r", "g", "b"].enumerated() {
      datas.append(("\(name)XYZ", xyz((0..<3).map { space.toXYZ.values[3 * $0 + c] })))
    }
    for (c, name) in ["r", "g", "b"].enumerated() { datas.append(("\(name)TRC", curve(space.curves[c]))) }
    var (table, body) = (be(datas.count, 4), [UInt8]())
    for (name, data) in datas {
      let start = 128 + 4 + 12 * datas.count + body.count
      table += all(name.ascii, be(start, 4), be(data.count, 4))
      body += all(data, be(0, (4 - data.count % 4) % 4))
    }
    let header = all(
      be(128 + table.count + body.count, 4), be(0, 4), [2, 0x40, 0, 0], "mntrRGB XYZ ".ascii,
      be(2026, 2), be(1, 2), be(1, 2), be(0, 6), "acsp".ascii, be(0, 28),
      Array(xyz([0.9642, 1, 0.8249]).dropFirst(8)))
    return all(header, be(0, 128 - header.count), table, body)
  }

  private static func curve(_ curve: ColorSpace.Curve) -> [UInt8] {
    let values: [Int]
    switch curve {
    case .table(let given): values = given.map { Int($0) }
    case .power(let g) where abs(g * 256 - (g * 256).rounded()) < 1e-6 && g < 256:
      values = [Int((g * 256).rounded())]
    default:
      let last = 1023
      values = (0...last).map { Int((curve.linear(Double($0) / Double(last)) * 65_535).rounded()) }
    }
    return all("curv".ascii, be(0, 4), be(values.count, 4), values.flatMap { be($0, 2) })
  }

  private static func xyz(_ values: [Double]) -> [UInt8] {
    let numbers = values.map { Int(UInt32(bitPattern: Int32(($0 * 65_536).rounded()))) }
    return all("XYZ ".ascii, be(0, 4), numbers.flatMap { be($0, 4) })
  }

  private static func all(_ parts: [UInt8]...) -> [UInt8] { Array(parts.joined()) }

  /// The lowest bytes of a number, most significant first; zeros before them.
  private static func be(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { i in count - 1 - i < 8 ? UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - i))) : 0 }
  }
}

/// The table of a profile. Nothing that it claims is believed before it is looked at.
private struct Tags {
  let colorSpace: String
  let isXYZ: Bool
  private let bytes: [UInt8]
  private var places: [String: Range<Int>] = [:]

  init?(_ profile: [UInt8]) {
    bytes = profile
    func word(_ at: Int) -> Int? {
      guard at >= 0, at + 4 <= profile.count else { return nil }
      return profile[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    func name(_ at: Int) -> String { String(decoding: profile[at..<at + 4], as: UTF8.self) }
    guard profile.count >= 132, name(36) == "acsp", let count = word(128), count <= 1000 else { return nil }
    (colorSpace, isXYZ) = (name(16), name(20) == "XYZ ")
    for i in 0..<count {
      let at = 132 + 12 * i
      guard let start = word(at + 4), let length = word(at + 8), start <= profile.count,
        length <= profile.count - start
      else { return nil }
      places[name(at)] = start..<start + length
    }
  }

  private func words(_ tag: String, _ size: Int, from offset: Int, count: Int) -> [Int]? {
    guard let place = places[tag], count >= 0, offset + size * count <= place.count else { return nil }
    return (0..<count).map { i in
      let at = place.lowerBound + offset + size * i
      return bytes[at..<at + size].reduce(0) { $0 << 8 | Int($1) }
    }
  }

  private func type(_ tag: String) -> String? {
    guard let place = places[tag], place.count >= 8 else { return nil }
    return String(decoding: bytes[place.prefix(4)], as: UTF8.self)
  }

  /// A `desc` of version 2, or the first of the `mluc` of version 4.
  func text(_ tag: String) -> String? {
    var letters: [Int] = []
    switch type(tag) {
    case "desc":
      guard let count = words(tag, 4, from: 8, count: 1)?[0] else { return nil }
      letters = words(tag, 1, from: 12, count: min(count, 80)) ?? []
    case "mluc":
      guard let place = words(tag, 4, from: 20, count: 2) else { return nil }
      letters = words(tag, 2, from: place[1], count: min(place[0], 160) / 2) ?? []
    default: return nil
    }
    let printable = letters.prefix { $0 != 0 }.filter { (32..<127).contains($0) }
    return printable.isEmpty ? nil : String(decoding: printable.map { UInt8($0) }, as: UTF8.self)
  }

  /// s15Fixed16
  private func fixed(_ word: Int) -> Double { Double(Int32(truncatingIfNeeded: word)) / 65_536 }

  func column(_ tag: String) -> [Double]? {
    guard type(tag) == "XYZ " else { return nil }
    return words(tag, 4, from: 8, count: 3)?.map(fixed)
  }

  func curve(_ tag: String) -> ColorSpace.Curve? {
    switch type(tag) {
    case "curv":
      guard let count = words(tag, 4, from: 8, count: 1)?[0], count <= 65_536,
        let values = words(tag, 2, from: 12, count: count)
      else { return nil }
      if count == 0 { return .power(1) }
      return count == 1 ? .power(Double(values[0]) / 256) : .table(values.map { UInt16($0) })
    case "para":
      let counts = [1, 3, 4, 5, 7]
      guard let kind = words(tag, 2, from: 8, count: 1)?[0], kind < counts.count,
        let p = words(tag, 4, from: 12, count: counts[kind])?.map(fixed)
      else { return nil }
      switch kind {
      case 0: return .power(p[0])
      case 1, 2:
        guard p[1] != 0 else { return nil }
        let offset = kind == 2 ? p[3] : 0
        return .parametric(g: p[0], a: p[1], b: p[2], c: 0, d: -p[2] / p[1], e: offset, f: offset)
      case 3: return .parametric(g: p[0], a: p[1], b: p[2], c: p[3], d: p[4], e: 0, f: 0)
      default: return .parametric(g: p[0], a: p[1], b: p[2], c: p[3], d: p[4], e: p[5], f: p[6])
      }
    default: return nil
    }
  }
}

extension String {
  fileprivate var ascii: [UInt8] { Array(utf8) }
}
