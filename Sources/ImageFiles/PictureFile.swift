import Files
// The pictures and masks that this room reads and writes.
@_exported import Pictures
import Tensors

/// Pictures on disk: PNG of every kind, JPEG, binary PPM and PGM in and out.
///
/// Rows come out upright, as EXIF says in a JPEG or a PNG, and in sRGB where a profile, or gamma and chromaticities, are
/// of a kind that is understood (`FileColor`).
public enum PictureFile {
  /// Pixels a side, refused before anything is allocated.
  public static let maximumSide = 32_768
  /// Pixels in all, refused before anything is allocated.
  public static let maximumArea = 100_000_000

  /// What becomes of transparency.
  public enum Alpha: Sendable, Equatable {
    /// Colours as stored, whatever their alpha.
    case drop
    /// alpha·colour + (1 − alpha)·white, in 8-bit levels.
    case onWhite
  }

  /// Reads a picture into memory; the format is told by the first bytes, not by the name.
  ///
  /// Samples of 16 bits are rounded to 8, smaller ones are stretched to 0…255.
  public static func read(_ path: String, alpha: Alpha = .onWhite) throws -> Picture {
    try Picture(reading: OpenPicture(path, alpha: alpha))
  }

  /// Reads a mask into memory: see `OpenMask`.
  public static func readMask(_ path: String) throws -> MaskPicture {
    try MaskPicture(reading: OpenMask(path))
  }

  /// Writes `.png`, `.jpg` or `.ppm`, as the name says.
  ///
  /// The bytes go to a new file in the same folder that takes the name when it is complete and on disk, so
  /// `path` never shows half a picture. The same arguments give the same bytes. PNG keeps `metadata` as text
  /// chunks in the given order, JPEG as comments; PPM has no place for it.
  ///
  /// - Parameter quality: of a JPEG, 1 to 100.
  /// - Throws: `PictureFileError`; what the source throws, with nothing written.
  public static func write(
    _ picture: any PictureSource, to path: String, metadata: [(String, String)] = [], quality: Int = 92,
    keepsEXIF: Bool = true
  ) throws {
    let encoding = try PictureEncoding(path: path, quality: quality)
    let encoder = try PictureEncoder(encoding, metadata: metadata, keepsEXIF: keepsEXIF)
    try write(to: path) { try encoder.encode(picture, into: sink($0)) }
  }

  /// Writes a mask as a grey `.png` or as `.pgm`, otherwise like a picture.
  public static func write(_ mask: any MaskSource, to path: String) throws {
    _ = try PictureEncoding(path: path, isMask: true)
    try write(to: path) { try write(mask, into: $0) }
  }

  /// A picture in memory.
  public static func write(_ picture: Picture, to path: String, metadata: [(String, String)] = []) throws {
    try write(picture as any PictureSource, to: path, metadata: metadata)
  }

  /// Throws unless a picture, or a mask, can be written to `path`, as far as that can be known beforehand.
  public static func checkWritable(_ path: String, isMask: Bool = false) throws(PictureFileError) {
    _ = try PictureEncoder(PictureEncoding(path: path, isMask: isMask))
    try PictureFileError.ofFile { () throws(FileError) in try PartialFile.check(path) }
  }

  /// Throws unless a file can stand at `path`, as far as that can be known beforehand.
  package static func checkPlace(_ path: String) throws(PictureFileError) {
    try PictureFileError.ofFile { () throws(FileError) in try PartialFile.check(path) }
  }

  /// Writes into a file that the caller puts in place, with others perhaps. Its name says what to write.
  package static func write(
    _ picture: any PictureSource, into file: PartialFile, metadata: [(String, String)] = [],
    quality: Int = 92, keepsEXIF: Bool = true
  ) throws {
    let encoding = try PictureEncoding(path: file.path, quality: quality)
    try PictureEncoder(encoding, metadata: metadata, keepsEXIF: keepsEXIF).encode(picture, into: sink(file))
  }

  package static func write(_ mask: any MaskSource, into file: PartialFile) throws {
    let encoder = try PictureEncoder(PictureEncoding(path: file.path, isMask: true))
    try encoder.encode(mask, into: sink(file))
  }

  private static func sink(_ file: PartialFile) -> ByteSink {
    { bytes in try PictureFileError.ofFile { () throws(FileError) in try file.write(bytes) } }
  }

  private static func write(to path: String, _ encode: (PartialFile) throws -> Void) throws {
    let file = try PictureFileError.ofFile { () throws(FileError) in try PartialFile(path: path) }
    try encode(file)
    try PictureFileError.ofFile { () throws(FileError) in try file.commit() }
  }

  /// What follows the last dot of the last component, in small letters.
  static func fileExtension(_ path: String) -> String? {
    let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
    return name[name.index(after: dot)...].lowercased()
  }
}
