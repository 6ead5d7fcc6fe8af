import CJPEG
import CPNG

/// A library that pictures are read and written with, as it is found on this machine.
public struct PictureLibrary: Sendable, Equatable, Encodable {
  public enum State: String, Sendable, Encodable {
    case found
    /// It is not installed, or lacks something that is needed.
    case missing
    /// The system has no memory for it.
    case refused
  }

  public var name: String
  public var state: State
  /// As the library says it; of libturbojpeg, which does not, its generation: 2.x or 3.x.
  public var version: String?
  /// The file that was opened; nil for one that is part of the program, or linked to it.
  public var path: String?

  /// libpng and zlib, without which the program does not start, and libturbojpeg, which is opened now if it was not.
  public static var all: [PictureLibrary] {
    func linked(_ name: String, _ version: UnsafePointer<CChar>) -> PictureLibrary {
      PictureLibrary(name: name, state: .found, version: String(cString: version))
    }
    return [linked("libpng", cpng_version()), linked("zlib", cpng_zlib_version()), turboJPEG]
  }

  private static var turboJPEG: PictureLibrary {
    let name = "libturbojpeg"
    guard cjpeg_is_available() else {
      return PictureLibrary(name: name, state: cjpeg_is_missing() ? .missing : .refused)
    }
    return PictureLibrary(
      name: name, state: .found, version: "\(cjpeg_generation()).x",
      path: cjpeg_path().map { String(cString: $0) })
  }
}
