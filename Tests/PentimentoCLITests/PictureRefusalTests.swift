import Foundation
import TestSupport
import Testing

@Suite("A picture that cannot be edited", .serialized) struct PictureRefusalTests {
  /// Files of the folder `place()`, and a part of what is said about them.
  static let files: [(String, String)] = [
    ("none.png", "none.png does not exist"), ("empty.png", "empty.png is empty"),
    ("text.png", "is not a picture"),
    ("cut.png", "cut.png is damaged"), ("flipped.png", "flipped.png is damaged"),
    ("photo.jpg", "photo.jpg is damaged"),
    ("folder", "is a folder"), ("1x1.png", "1×1"), ("7x4000.png", "7×4000"), ("63x64.png", "63×64"),
  ]

  private func place() throws -> Workplace {
    let place = try Workplace.furnished()
    let photo = try place.bytes("photo.png")
    try place.add("empty.png", [])
    try place.add("text.png", "not a picture".utf8)
    try place.add("cut.png", photo[..<(photo.count / 2)])
    var flipped = photo
    flipped[photo.count / 2] ^= 4
    try place.add("flipped.png", flipped)
    try place.add("photo.jpg", [0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 0x4A, 0x46])
    try FileManager.default.createDirectory(at: place.url("folder"), withIntermediateDirectories: false)
    for (width, height) in [(1, 1), (7, 4000), (63, 64)] {
      try place.addPicture("\(width)x\(height).png", width: width, height: height)
    }
    return place
  }

  @Test("is refused with its cause, as a photo", arguments: files)
  func photo(name: String, says: String) async throws {
    try await Refusal(
      "edit", "-i", name, "-p", "a cat", "-o", "out.png", status: Status.badPicture, says: says
    )
    .check(in: place())
  }

  @Test("is refused with its cause, as a mask", arguments: files.prefix(7))
  func mask(name: String, says: String) async throws {
    try await Refusal(
      "edit", "-i", "photo.png", "--mask", name, "-p", "a cat", "-o", "out.png", status: Status.badPicture,
      says: says
    ).check(in: place())
  }

  @Test(
    "damaged anywhere never ends the program by a signal and never leaves a result of less than all of it")
  func cutAnywhere() async throws {
    let place = try place()
    let photo = try place.bytes("photo.png")
    // Without its last chunk, which says only that nothing follows, the picture is whole.
    for count in stride(from: 1, to: photo.count - 12, by: photo.count / 12) {
      try place.add("cut.png", photo[..<count])
      try await Refusal("edit", "-i", "cut.png", "-p", "a cat", "-o", "out.png", status: Status.badPicture)
        .check(in: place)
    }
  }
}
