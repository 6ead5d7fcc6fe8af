import Tensors

/// Pictures on disk: PNG of every kind and binary PPM and PGM in, PNG, PPM and PGM out.
///
/// Pixels are taken as they are stored: colour profiles, gamma and EXIF orientation are ignored.
public enum PictureFile {
  /// Pixels a side, refused before anything is allocated.
  public static let maximumSide = 32_768
  /// Pixels in all, refused before anything is allocated.
  public static let maximumArea = 100_000_000

  /// What becomes of transparency.
  public enum Alpha: Sendable, Equatable {
    /// Colours as stored, whatever their alpha: what the reference implementations do.
    case drop
    /// alpha·colour + (1 − alpha)·white, in 8-bit levels. Takes a third more memory while it reads.
    case onWhite
  }

  /// Reads a picture; the format is told by the first bytes, not by the name.
  ///
  /// Samples of 16 bits are rounded to 8, smaller ones are stretched to 0…255. Memory: the result and one
  /// row; libpng adds another row or two.
  public static func read(_ path: String, alpha: Alpha = .drop) throws(PictureFileError) -> Picture {
    let raster = try decode(path, as: .rgb, alpha: alpha)
    return Picture(width: raster.width, height: raster.height, pixels: raster.samples)
  }

  /// Reads a mask: grey files as they are, colours as their luma (ITU-R BT.601 in 16-bit fixed point).
  public static func readMask(_ path: String) throws(PictureFileError) -> MaskPicture {
    let raster = try decode(path, as: .stored, alpha: .drop)
    guard raster.channels == 3 else {
      return MaskPicture(width: raster.width, height: raster.height, pixels: raster.samples)
    }
    return Picture(width: raster.width, height: raster.height, pixels: raster.samples).luma
  }

  /// Writes `.png` or `.ppm`, as the name says.
  ///
  /// The bytes go to a new file in the same folder that takes the name when it is complete and on disk, so
  /// `path` never shows half a picture. The same arguments give the same bytes. PNG keeps `metadata` as text
  /// chunks in the given order; PPM has no place for it.
  public static func write(
    _ picture: Picture, to path: String, metadata: [(String, String)] = []
  ) throws(PictureFileError) {
    let raster = Raster(
      width: picture.width, height: picture.height, channels: 3, samples: picture.pixels)
    try encode(raster, to: path, metadata: metadata)
  }

  /// Writes a mask as a grey `.png` or as `.pgm`, otherwise like a picture.
  public static func write(
    _ mask: MaskPicture, to path: String, metadata: [(String, String)] = []
  ) throws(PictureFileError) {
    let raster = Raster(width: mask.width, height: mask.height, channels: 1, samples: mask.pixels)
    try encode(raster, to: path, metadata: metadata)
  }

  /// Throws unless a picture, or a mask, can be written to `path`, as far as that can be known beforehand.
  public static func checkWritable(_ path: String, isMask: Bool = false) throws(PictureFileError) {
    guard ["png", isMask ? "pgm" : "ppm"].contains(fileExtension(path)) else {
      throw .unknownExtension(path: path)
    }
    try OutputFile.check(path)
  }

  private static func decode(
    _ path: String, as layout: Raster.Layout, alpha: Alpha
  ) throws(PictureFileError) -> Raster {
    let file = try InputFile(path)
    let start = file.start(byteCount: 12)
    file.rewind()
    switch PictureFormat(start: start) {
    case .png: return try PNGFile.read(file, as: layout, alpha: alpha)
    case .pnm: return try PNMFile.read(file, as: layout)
    case .foreign(let name): throw .unsupported(path: path, format: name)
    case nil where start.isEmpty: throw .empty(path: path)
    case nil: throw .notAPicture(path: path)
    }
  }

  private static func encode(
    _ raster: Raster, to path: String, metadata: [(String, String)]
  ) throws(PictureFileError) {
    switch (fileExtension(path), raster.channels) {
    case ("png", _): try PNGFile.write(raster, to: path, metadata: metadata)
    case ("ppm", 3), ("pgm", 1): try PNMFile.write(raster, to: path)
    default: throw .unknownExtension(path: path)
    }
  }

  /// What follows the last dot of the last component, in small letters.
  private static func fileExtension(_ path: String) -> String? {
    let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
    return name[name.index(after: dot)...].lowercased()
  }
}

/// Decoded samples, `[height, width, channels]`, row-major, channels 1 (grey) or 3 (RGB).
struct Raster {
  /// How a decoder hands out samples.
  enum Layout {
    case rgb
    /// One channel if the file is grey, otherwise three.
    case stored
  }

  var width: Int
  var height: Int
  var channels: Int
  var samples: [UInt8]
}

extension PictureFile {
  /// Refuses sizes that no camera makes, before memory is asked for.
  static func check(width: Int, height: Int, of path: String) throws(PictureFileError) {
    guard max(width, height) <= maximumSide, width * height <= maximumArea else {
      throw .tooLarge(path: path, width: width, height: height)
    }
  }
}
