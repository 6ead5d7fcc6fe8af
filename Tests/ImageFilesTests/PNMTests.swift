import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite("PPM and PGM file") struct PNMTests {
  func read(_ header: String, _ samples: [UInt8]) throws -> Picture {
    let folder = try TemporaryFolder()
    return try PictureFile.read(try folder.file("picture.ppm", Array(header.utf8) + samples))
  }

  @Test("keeps every byte when its largest value is 255") func plain() throws {
    let samples = (0..<7 * 5 * 3).map { UInt8($0 * 7 % 256) }
    #expect(try read("P6\n7 5\n255\n", samples) == Picture(width: 7, height: 5, pixels: samples))
  }

  @Test(
    "may hold comments and any white space in its header",
    arguments: [
      "P6\n# made by hand\n2 1\n# another\n255\n", "P6 2\t1\r255 ", "P6#x\n2#y\n1 255\n",
      "P6\n\n 2 \n 1 \n 255#z\n",
    ])
  func comments(header: String) throws {
    #expect(try read(header, [35, 10, 32, 4, 5, 6]).pixels == [35, 10, 32, 4, 5, 6])
  }

  @Test("is stretched to 255 from any largest value", arguments: [1, 2, 100, 254, 256, 1023, 65_535])
  func otherMaximum(top: Int) throws {
    let values = [0, 1, top / 3, top / 2, top - 1, top]
    let samples = values.flatMap { top > 255 ? [UInt8($0 >> 8), UInt8($0 & 255)] : [UInt8($0)] }
    let levels = values.map { UInt8((Double($0) * 255 / Double(top)).rounded()) }
    #expect(try read("P5 6 1 \(top)\n", samples).pixels == levels.flatMap { [$0, $0, $0] })
    #expect(try read("P6 2 1 \(top)\n", samples).pixels == levels)
  }

  @Test("gives a mask its grey as it is, and of colours the largest channel") func mask() throws {
    let folder = try TemporaryFolder()
    let grey = try folder.file("mask.pgm", Array("P5 3 1 255\n".utf8) + [0, 127, 255])
    #expect(try PictureFile.readMask(grey).pixels == [0, 127, 255])
    let color = try folder.file("mask.ppm", Array("P6 2 1 255\n".utf8) + [255, 0, 0, 9, 9, 9])
    #expect(try PictureFile.readMask(color).pixels == [255, 9])
  }

  @Test(
    "is damaged when its header is no header or its rows are missing",
    arguments: [
      ("P6\n", "its header states no valid width"), ("P6 0 1 255\n", "its header states no valid width"),
      ("P6 -2 1 255\n", "its header states no valid width"),
      ("P6 2 1x 255\n", "its header states no valid height"),
      ("P6 2 1 0\n", "its header states no valid largest value"),
      ("P6 2 1 65536\n", "its header states no valid largest value"),
      ("P6 2 1 255", "its header states no valid largest value"),
      ("P6 99999999999999999999 1 255\n", "its header states no valid width"),
      ("P6 2 2 255\n123456", "it ends in row 2 of 2"), ("P5 3 1 255\n12", "it ends in row 1 of 1"),
      ("P5 1 1 5\nA", "row 1 has the value 65 above 5"),
    ])
  func damaged(text: String, reason: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("picture.ppm", Array(text.utf8))
    #expect(throws: PictureFileError.damaged(path: path, reason: reason)) { try PictureFile.read(path) }
  }
}
