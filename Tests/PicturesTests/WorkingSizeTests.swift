import Pictures
import Tensors
import TestSupport
import Testing

@Suite("Working size") struct WorkingSizeTests {
  func size(
    _ width: Int, _ height: Int, _ request: WorkingSize.Request = .native, native: Int = 512,
    multiple: Int = 64
  ) throws(WorkingSizeError) -> WorkingSize {
    try WorkingSize(
      picture: Extent(width: width, height: height), nativeSide: native, multiple: multiple, request: request)
  }

  @Test(
    "keeps the aspect at the model's area and pads to the multiple",
    arguments: [
      ((512, 512), (512, 512), (512, 512)), ((512, 768), (418, 627), (448, 640)),
      ((4000, 3000), (591, 443), (640, 448)), ((64, 64), (512, 512), (512, 512)),
      ((1021, 1019), (513, 511), (576, 512)), ((1920, 1080), (683, 384), (704, 384)),
      ((64, 4000), (65, 4048), (128, 4096)),
    ])
  func native(picture: (Int, Int), content: (Int, Int), padded: (Int, Int)) throws {
    let size = try size(picture.0, picture.1)
    #expect(size.content == Extent(width: content.0, height: content.1))
    #expect(size.padded == Extent(width: padded.0, height: padded.1))
  }

  @Test("has a short side of 64 at least, whatever the area") func slender() throws {
    #expect(try size(64, 32_768).content == Extent(width: 64, height: 32_768))
    #expect(try size(30_000, 100).content == Extent(width: 19_200, height: 64))
  }

  @Test("follows the model") func otherModels() throws {
    #expect(try size(4000, 3000, native: 1024, multiple: 32).content == Extent(width: 1182, height: 887))
    #expect(try size(4000, 3000, native: 1024, multiple: 32).padded == Extent(width: 1184, height: 896))
  }

  @Test("follows the user: a number is an area, two numbers are a box") func requests() throws {
    #expect(try size(512, 768, .side(384)).content == Extent(width: 314, height: 470))
    let box = WorkingSize.Request.box(Extent(width: 512, height: 768))
    #expect(try size(512, 768, box).padded == Extent(width: 512, height: 768))
    #expect(try size(4000, 3000, box).content == Extent(width: 512, height: 384))
  }

  @Test("of pictures with a side under 64 does not exist", arguments: [(1, 1), (7, 4000), (4000, 63)])
  func tooSmall(width: Int, height: Int) {
    #expect(throws: WorkingSizeError.pictureTooSmall(Extent(width: width, height: height))) {
      try size(width, height)
    }
    let sentence = WorkingSizeError.pictureTooSmall(Extent(width: 7, height: 4000)).description
    #expect(sentence == "the picture is 7×4000 pixels, a side is under 64: enlarge it or cut it out larger")
  }

  @Test("refuses a box in which the picture would have a side under 64") func smallBox() {
    let box = Extent(width: 64, height: 64)
    #expect(throws: WorkingSizeError.boxTooSmall(box, picture: Extent(width: 96, height: 64))) {
      try size(96, 64, .box(box))
    }
  }

  @Test("keeps every side within its bounds and the area near the native one")
  func bounds() throws {
    for width in stride(from: 67, to: 5000, by: 379) {
      for height in stride(from: 71, to: 5000, by: 401) {
        let size = try size(width, height)
        #expect(size.padded.width % 64 == 0 && size.padded.height % 64 == 0)
        #expect((0..<64).contains(size.padded.width - size.content.width))
        #expect((0..<64).contains(size.padded.height - size.content.height))
        #expect(min(size.content.width, size.content.height) >= 64)
        // Rounding a side moves the area by at most half the other side, on both axes.
        let (w, h) = (size.content.width, size.content.height)
        if min(w, h) > 64 { #expect(abs(w * h - 512 * 512) <= (w + h) / 2 + 1) }
      }
    }
  }

  @Test("is asked for in text") func parsing() throws {
    #expect(try WorkingSize.Request(parsing: "512") == .side(512))
    #expect(try WorkingSize.Request(parsing: "512x768") == .box(Extent(width: 512, height: 768)))
    for text in ["", "x", "512x", "x512", "1x2x3", "-512", "512 x 768", "big", "5e2"] {
      #expect(throws: WorkingSizeError.malformed(text)) { try WorkingSize.Request(parsing: text) }
    }
    for text in ["63", "8193", "512x63"] {
      #expect(throws: WorkingSizeError.self) { try WorkingSize.Request(parsing: text) }
    }
    #expect(throws: WorkingSizeError.sideOutOfRange(63)) { try size(512, 512, .side(63)) }
  }
}
