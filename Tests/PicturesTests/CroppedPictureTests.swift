import Pictures
import Synchronization
import Tensors
import Testing

@Suite("Middle of a picture") struct CroppedPictureTests {
  /// Red is the column, green the row.
  private func picture(_ width: Int, _ height: Int) -> Picture {
    Picture(
      width: width, height: height,
      pixels: (0..<height).flatMap { y in (0..<width).flatMap { x in [UInt8(x), UInt8(y), 0] } })
  }

  @Test(
    "is as large as fits, and centred",
    arguments: [
      (101, 40, Extent(width: 1, height: 1), Extent(width: 40, height: 40), 30, 0),
      (40, 101, Extent(width: 1, height: 1), Extent(width: 40, height: 40), 0, 30),
      (90, 60, Extent(width: 2, height: 3), Extent(width: 40, height: 60), 25, 0),
      (60, 60, Extent(width: 1, height: 1), Extent(width: 60, height: 60), 0, 0),
      (3, 200, Extent(width: 100, height: 1), Extent(width: 3, height: 1), 0, 99),
    ])
  func centred(width: Int, height: Int, aspect: Extent, extent: Extent, left: Int, top: Int) throws {
    let cropped = CroppedPicture(picture(width, height), aspect: aspect)
    #expect(cropped.extent == extent)
    let middle = try Picture(reading: cropped)
    for y in 0..<extent.height {
      for x in 0..<extent.width {
        let place = 3 * (y * extent.width + x)
        #expect(middle.pixels[place] == UInt8(left + x) && middle.pixels[place + 1] == UInt8(top + y))
      }
    }
  }

  @Test("reads the picture to its end, where files say whether they are whole") func toTheEnd() throws {
    let counted = Counted(picture: picture(20, 50))
    _ = try Picture(reading: CroppedPicture(counted, aspect: Extent(width: 1, height: 1)))
    #expect(counted.rows.withLock { $0 } == 50)
  }

  private final class Counted: PictureSource {
    let picture: Picture
    let rows = Mutex(0)

    init(picture: Picture) { self.picture = picture }
    var extent: Extent { picture.extent }
    var passBytes: Int { 0 }
    func pass() -> any RowPass { Rows(self) }

    private final class Rows: RowPass {
      private let source: Counted
      private let pass: any RowPass
      init(_ source: Counted) { (self.source, pass) = (source, source.picture.pass()) }
      func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
        source.rows.withLock { $0 += 1 }
        try pass.next(into: row)
      }
    }
  }
}
