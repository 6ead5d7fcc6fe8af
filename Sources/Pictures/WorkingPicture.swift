import Tensors

extension Geometry {
  /// What the model works on, of size `padded`, made in one pass over the picture.
  public func workingPicture(reading source: some PictureSource) throws -> Picture {
    precondition(source.extent == picture, "a picture of \(source.extent) for a geometry of \(picture)")
    let pass = try source.pass()
    let rows = content == picture ? pass : ResizedRows(pass, from: picture, to: content)
    let (kept, rowBytes) = (3 * content.width, 3 * padded.width)
    let pixels = try [UInt8](unsafeUninitializedCapacity: rowBytes * padded.height) { pixels, count in
      for y in 0..<content.height {
        let row = UnsafeMutableBufferPointer(rebasing: pixels[y * rowBytes..<(y + 1) * rowBytes])
        try rows.next(into: UnsafeMutableBufferPointer(rebasing: row[..<kept]))
        for i in kept..<rowBytes { row[i] = row[i - 3] }
      }
      let last = (content.height - 1) * rowBytes
      for i in content.height * rowBytes..<padded.height * rowBytes {
        pixels[i] = pixels[last + i % rowBytes]
      }
      count = pixels.count
    }
    return Picture(width: padded.width, height: padded.height, pixels: pixels)
  }

  /// What `workingPicture` takes beside its result and the source's `passBytes`.
  public var workingPictureBytes: Int {
    content == picture ? 0 : ResizedRows.bytes(from: picture, to: content)
  }

  /// What the model works on, of size `padded`.
  public func workingPicture(_ source: Picture) -> Picture {
    inMemory { try workingPicture(reading: source) }
  }

  /// The worked-on picture at the size of the original, to the pixel.
  public func restore(_ working: Picture) -> Picture {
    inMemory { try Picture(reading: RestoredPicture(working, self)) }
  }
}

/// The worked-on picture at the size of the original, to the pixel, made row by row.
public struct RestoredPicture: PictureSource {
  private let working: Picture
  private let geometry: Geometry

  /// - Parameter working: of size `geometry.padded`.
  public init(_ working: Picture, _ geometry: Geometry) {
    precondition(working.extent == geometry.padded)
    (self.working, self.geometry) = (working, geometry)
  }

  public var extent: Extent { geometry.picture }
  public var passBytes: Int { Self.passBytes(geometry) }

  /// Known before there is anything to restore.
  public static func passBytes(_ geometry: Geometry) -> Int {
    geometry.content == geometry.picture ? 0 : ResizedRows.bytes(from: geometry.content, to: geometry.picture)
  }

  public func pass() -> any RowPass {
    let rows = MemoryPass(working.pixels, rowBytes: 3 * working.width)
    return geometry.content == geometry.picture
      ? rows : ResizedRows(rows, from: geometry.content, to: geometry.picture)
  }
}
