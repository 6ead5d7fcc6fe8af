import CPNG
import Pictures

/// What a file says about its colours, and what is made of it.
enum FileColor: Equatable, Sendable {
  /// Nothing, or sRGB in some words: the samples are taken as they are.
  case standard(profile: [UInt8]?)
  /// A space from which and to which samples are converted.
  case converted(ColorSpace, profile: [UInt8], name: String)
  /// A profile that is not understood: it goes with samples that are taken as they are.
  case carried(profile: [UInt8], name: String)
  /// Something that is not understood and has no profile that could go with the samples.
  case ignored(name: String)

  static let plain = FileColor.standard(profile: nil)

  /// A grey file has one for grey; its result has colours all the same.
  init(profile: [UInt8]) {
    let name = ICCProfile.name(profile)
    guard let space = ICCProfile.space(profile) else {
      // A result of three channels must not have the profile of another number.
      self = ICCProfile.isOfColor(profile) ? .carried(profile: profile, name: name) : .ignored(name: name)
      return
    }
    let kept = ICCProfile.isOfColor(profile) ? profile : ICCProfile.profile(of: space)
    if space.isStandard {
      self = .standard(profile: ICCProfile.isOfColor(profile) ? profile : nil)
    } else {
      self = .converted(space, profile: kept, name: name)
    }
  }

  /// From the gamma and the chromaticities of a PNG, in 100 000ths.
  init(gamma: Int?, chromaticities c: [Int]?) {
    // What sRGB says of itself there, in the rounding of any writer.
    let curve: ColorSpace.Curve =
      gamma.map { (45_000...46_000).contains($0) ? .sRGB : .power(100_000 / Double($0)) } ?? .sRGB
    var space: ColorSpace? = ColorSpace(curves: [curve, curve, curve], toXYZ: ColorSpace.sRGB.toXYZ)
    if let c {
      let points = stride(from: 0, to: 8, by: 2).map {
        (Double(c[$0]) / 100_000, Double(c[$0 + 1]) / 100_000)
      }
      space = ColorSpace(curve: curve, white: points[0], primaries: Array(points[1...]))
    }
    guard let space, space.isReversible else {
      self = .ignored(name: "gamma and chromaticities that cannot be")
      return
    }
    let name = c == nil ? "gamma" : "chromaticities"
    self = space.isStandard ? .plain : .converted(space, profile: ICCProfile.profile(of: space), name: name)
  }

  var color: PictureColor {
    switch self {
    case .standard(let profile): PictureColor(profile: profile)
    case .converted(let space, let profile, _): PictureColor(space: space, profile: profile)
    case .carried(let profile, _): PictureColor(profile: profile)
    case .ignored: .plain
    }
  }
}

extension FileColor {
  /// The chunks of a PNG about its colours, of which the later cases of this list yield to the earlier ones (PNG, third
  /// edition, 12.1).
  struct Chunks {
    var codePoints: [UInt8]?
    var profile: [UInt8]?
    var isStandard = false
    var gamma: Int?
    var chromaticities: [Int]?

    /// Takes what is in a chunk.
    mutating func take(_ name: String, _ data: [UInt8]) {
      func number(_ at: Int) -> Int { data[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
      switch name {
      case "cICP" where data.count == 4: codePoints = data
      case "iCCP": profile = Self.inflated(data)
      case "sRGB" where data.count == 1: isStandard = true
      case "gAMA" where data.count == 4 && number(0) > 0: gamma = number(0)
      case "cHRM" where data.count == 32: chromaticities = (0..<8).map { number(4 * $0) }
      default: break
      }
    }

    var color: FileColor {
      // Full range; sRGB's curve; its primaries, or those of Display P3.
      if let codePoints {
        switch (codePoints[0], codePoints[1], codePoints[3]) {
        case (1, 13, 1): return .plain
        case (12, 13, 1):
          let space = ColorSpace.displayP3
          return .converted(space, profile: ICCProfile.profile(of: space), name: "Display P3")
        default: break
        }
      }
      if let profile { return FileColor(profile: profile) }
      if codePoints != nil { return .ignored(name: "code points (cICP) of another space") }
      if isStandard || gamma == nil && chromaticities == nil { return .plain }
      return FileColor(gamma: gamma, chromaticities: chromaticities)
    }

    /// A name, a zero, the method 0, a stream of zlib.
    private static func inflated(_ data: [UInt8]) -> [UInt8]? {
      guard let end = data.prefix(80).firstIndex(of: 0), data.count > end + 2, data[end + 1] == 0 else {
        return nil
      }
      let stream = Array(data[(end + 2)...])
      // Most are small; what is larger than can be is not read at all.
      for room in [1 << 14, 1 << 18, ICCProfile.maximumBytes] {
        let profile = [UInt8](unsafeUninitializedCapacity: room) { bytes, count in
          count = cpng_inflate(stream, stream.count, bytes.baseAddress, room)
        }
        if !profile.isEmpty { return profile }
      }
      return nil
    }
  }
}

extension ColorSpace {
  /// DCI-P3's primaries under D65 with sRGB's curve.
  static let displayP3 = ColorSpace(
    curve: .sRGB, white: (0.3127, 0.3290), primaries: [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)])!
}
