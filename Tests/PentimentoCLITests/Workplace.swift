import Foundation
import ImageFiles
import Tensors

/// A folder that lives as long as this object, with what an edit needs.
final class Workplace: Sendable {
  let url = FileManager.default.temporaryDirectory.appending(path: "pentimento-cli-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// With `photo.png` (96×80) and `mask.png` (its middle is white).
  static func furnished() throws -> Workplace {
    let place = try Workplace()
    try place.addPicture("photo.png", width: 96, height: 80)
    try PictureFile.write(Self.mask(width: 96, height: 80), to: place.path("mask.png"))
    return place
  }

  func url(_ name: String) -> URL { url.appending(path: name) }
  func path(_ name: String) -> String { url(name).path }

  /// Names of everything in the folder.
  var contents: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() }
  }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: url(name))) }

  func add(_ name: String, _ bytes: some Sequence<UInt8>) throws { try Data(bytes).write(to: url(name)) }

  func addPicture(_ name: String, width: Int, height: Int) throws {
    try PictureFile.write(Self.picture(width: width, height: height), to: path(name))
  }

  /// A blue ground that gets lighter, with an orange square in its middle.
  static func picture(width: Int, height: Int) -> Picture {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        pixels +=
          isMiddle(x, width) && isMiddle(y, height)
          ? [230, 120, 40] : [40, UInt8(60 + 90 * y / height), 190]
      }
    }
    return Picture(width: width, height: height, pixels: pixels)
  }

  static func mask(width: Int, height: Int) -> MaskPicture {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width { pixels.append(isMiddle(x, width) && isMiddle(y, height) ? 255 : 0) }
    }
    return MaskPicture(width: width, height: height, pixels: pixels)
  }

  private static func isMiddle(_ i: Int, _ count: Int) -> Bool { (count / 4..<3 * count / 4).contains(i) }

  // MARK: Models

  /// A copy of the small model in which one file is another; the rest are links.
  /// - Parameter content: nil leaves the file out.
  func addModel(_ name: String, replacing file: String, by content: [UInt8]?) throws -> URL {
    let (manager, source, copy) = (FileManager.default, Command.smallModel, url(name))
    for case let path as String in manager.enumerator(atPath: source.path)! {
      let (from, to) = (source.appending(path: path), copy.appending(path: path))
      try manager.createDirectory(at: to.deletingLastPathComponent(), withIntermediateDirectories: true)
      var isFolder: ObjCBool = false
      _ = manager.fileExists(atPath: from.path, isDirectory: &isFolder)
      if isFolder.boolValue { continue }
      if path != file {
        try manager.createSymbolicLink(at: to, withDestinationURL: from)
      } else if let content {
        try Data(content).write(to: to)
      }
    }
    return copy
  }

  /// A file of the small model.
  static func modelFile(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: Command.smallModel.appending(path: name)))
  }
}
