import ImageFiles
import Platform
import Tensors

/// `pentimento-bench pictures`: what pictures take in memory, against what their sources say before.
///
///     pentimento-bench pictures PHOTO [--mask MASK] [--feather n] [--output OUT.png]
///     pentimento-bench pictures --make WIDTHxHEIGHT FILE       writes a picture, or a mask where FILE is a .pgm
///
/// A line for each step: its name, bytes counted before, the resident bytes that it added at its fullest, seconds. The
/// steps are those of an edit whose networks change nothing: working picture, latent mask, result.
struct PicturesMode: BenchMode {
  private var photo = ""
  private var mask: String?
  private var feather = 0
  private var output: String?
  private var made: (size: String, file: String)?

  init(_ arguments: ArraySlice<String>) throws {
    var rest = arguments
    if rest.first == "--make", rest.count == 3 {
      made = (rest[rest.startIndex + 1], rest[rest.startIndex + 2])
      return
    }
    while let word = rest.popFirst() {
      switch word {
      case "--mask": mask = rest.popFirst()
      case "--feather": feather = rest.popFirst().flatMap { Int($0) } ?? 0
      case "--output": output = rest.popFirst()
      default: photo = word
      }
    }
    guard !photo.isEmpty else { throw Misuse(description: "name a picture") }
  }

  func run() async throws {
    if let made { return try Self.make(made.size, made.file) }
    let photo = try OpenPicture(photo)
    let drawn = try mask.map { try OpenMask($0) }
    let geometry = Geometry(
      picture: photo.extent,
      working: try WorkingSize(picture: photo.extent, nativeSide: 256, multiple: 32))
    let result = 3 * geometry.padded.width * geometry.padded.height
    let working = try step("working picture", photo.passBytes + geometry.workingPictureBytes + result) {
      try geometry.workingPicture(reading: photo)
    }
    if let drawn {
      let bytes = drawn.passBytes + geometry.latentMaskBytes(of: drawn.extent, .soft)
      _ = try step("latent mask", bytes) { try geometry.latentMask(reading: drawn, .soft) }
    }
    guard let output else { return }
    let restored = RestoredPicture(working, geometry)
    let source: any PictureSource =
      drawn.map {
        FinishedPhoto(
          restored, of: photo, within: EditCoverage(PictureMask($0, over: geometry), .both(feather)))
      } ?? restored
    try step("result", source.passBytes + PictureEncoder.bytes(PictureEncoding(path: output), source.extent))
    {
      try PictureFile.write(source, to: output)
    }
  }

  private func step<Result>(_ name: String, _ counted: Int, _ body: () throws -> Result) throws -> Result {
    let before = Memory.resident()
    Memory.resetPeak()
    let start = ContinuousClock.now
    let result = try body()
    let seconds = ContinuousClock.now - start
    print("\(name)\t\(counted)\t\(Memory.peak() - before)\t\(seconds)")
    return result
  }

  /// Something that does not compress to nothing.
  private static func make(_ size: String, _ path: String) throws {
    let sides = size.split(separator: "x").compactMap { Int($0) }
    guard sides.count == 2, sides.allSatisfy({ $0 > 0 }) else { throw Misuse(description: "\(size)") }
    let extent = Extent(width: sides[0], height: sides[1])
    if path.hasSuffix(".pgm") {
      try PictureFile.write(MadeMask(extent: extent), to: path)
    } else {
      try PictureFile.write(MadePicture(extent: extent), to: path)
    }
  }
}

private struct MadePicture: PictureSource {
  var extent: Extent
  var passBytes: Int { 0 }
  func pass() -> any RowPass {
    MadeRows { i, y in UInt8(truncatingIfNeeded: (i + y) / 16 ^ (i * i + y * 7) % 8) }
  }
}

private struct MadeMask: MaskSource {
  var extent: Extent
  var passBytes: Int { 0 }
  func pass() -> any RowPass {
    let (width, height) = (extent.width, extent.height)
    return MadeRows { x, y in
      abs(2 * x - width) < width / 2 && abs(2 * y - height) < height / 2 ? 255 : 0
    }
  }
}

private final class MadeRows: RowPass {
  private let sample: (Int, Int) -> UInt8
  private var y = 0

  init(_ sample: @escaping (_ i: Int, _ y: Int) -> UInt8) { self.sample = sample }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) {
    for i in row.indices { row[i] = sample(i, y) }
    y += 1
  }
}

/// This process as Linux sees it, in bytes.
private enum Memory {
  static func resident() -> Int { field("VmRSS:") }
  static func peak() -> Int { field("VmHWM:") }

  /// The peak starts again at what is resident.
  static func resetPeak() {
    guard let file = fopen("/proc/self/clear_refs", "w") else { return }
    fputs("5", file)
    fclose(file)
  }

  private static func field(_ name: String) -> Int {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
      let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        .split(whereSeparator: \.isWhitespace)
      if words.count > 1, words[0] == name { return (Int(words[1]) ?? 0) * 1024 }
    }
    return 0
  }
}
