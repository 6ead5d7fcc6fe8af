import Foundation
import ImageFiles
import Tensors

/// A folder of its own for one test, removed afterwards.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/pentimento-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    let file = "\(path)/\(name)"
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
  }

  var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
  }
}

extension Picture {
  init(_ width: Int, _ height: Int, _ sample: (_ x: Int, _ y: Int, _ channel: Int) -> Int) {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<3 { pixels.append(UInt8(sample(x, y, c))) }
      }
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  /// Something without symmetry.
  static func speckled(_ width: Int, _ height: Int) -> Picture {
    Picture(width, height) { x, y, c in (x * 31 + y * 17 + c * 53 + x * y) % 256 }
  }

  func largestDifference(_ other: Picture) -> Int {
    zip(pixels, other.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
  }
}

extension MaskPicture {
  init(_ width: Int, _ height: Int, _ value: (_ x: Int, _ y: Int) -> Int) {
    self.init(
      width: width, height: height,
      pixels: (0..<width * height).map { UInt8(value($0 % width, $0 / width)) })
  }
}
