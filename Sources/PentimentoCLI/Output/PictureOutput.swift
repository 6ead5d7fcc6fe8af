import ArgumentParser
import Files
import ImageFiles
import Pentimento
import Platform

/// A place for a picture: a file that is put in place with the others of its run, or a stream (`-` for standard output, a
/// pipe, a device) that gets all of it when it is whole.
struct PictureOutput {
  var path: String
  var encoding: PictureEncoding
  var isMask = false

  /// - Parameters:
  ///   - format: of a stream whose name says nothing.
  ///   - quality: of a JPEG.
  /// - Throws: `PictureFileError.unknownExtension`.
  init(_ path: String, format: PictureFormatName?, quality: Int?, isMask: Bool = false) throws {
    (self.path, self.isMask) = (path, isMask)
    let quality = quality ?? PictureEncoding.usualQuality
    let named = try? PictureEncoding(path: path, isMask: isMask, quality: quality)
    if let format, !isMask {
      encoding = format.encoding(quality: quality)
    } else if let named {
      encoding = named
    } else if Self.isStream(path) {
      encoding = .png
    } else {
      throw PictureFileError.unknownExtension(path: path)
    }
  }

  var isStream: Bool { Self.isStream(path) }

  /// Standard output, a pipe or a device, where nothing can be put in place.
  static func isStream(_ path: String) -> Bool {
    if path == "-" { return true }
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    return [S_IFIFO, S_IFCHR, S_IFSOCK].contains(status.st_mode & S_IFMT)
  }

  /// Refuses before the work starts what could not be written after it.
  ///
  /// - Throws: `PictureFileError`, `ValidationError`.
  func check() throws {
    _ = try PictureEncoder(encoding)
    guard isStream else { return try PictureFile.checkPlace(path) }
    if path == "-", isatty(STDOUT_FILENO) == 1 {
      throw ValidationError(
        "standard output is a terminal: send the picture elsewhere (| or >), or name a file")
    }
  }

  /// What standard output or a pipe gets, from a file that has all of it.
  ///
  /// - Throws: `OutputError`, `PictureFileError.unwritable`.
  func send(_ file: SpooledFile) throws {
    guard path != "-" else { return try StandardOutput.write(file) }
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    let failure = descriptor < 0 ? errno : file.copy(to: descriptor)
    if descriptor >= 0 { close(descriptor) }
    guard failure == 0 else {
      throw PictureFileError.unwritable(path: path, reason: String(cString: strerror(failure)))
    }
  }
}

/// What a picture is written as where no name says it.
enum PictureFormatName: String, ExpressibleByArgument, CaseIterable {
  case png, jpg, ppm

  func encoding(quality: Int) -> PictureEncoding {
    switch self {
    case .png: .png
    case .jpg: .jpeg(quality: quality)
    case .ppm: .pnm
    }
  }
}

extension PictureSource {
  /// What a format has no place for, in a sentence; nil where everything goes with the picture.
  func lost(in encoding: PictureEncoding) -> String? {
    guard let photo = self as? any PhotoSource else { return nil }
    var losses: [String] = []
    switch encoding {
    case .png: break
    case .jpeg:
      if photo.format.hasAlpha { losses.append("transparency lies over white") }
      if photo.format.isDeep { losses.append("16 bits are 8") }
    case .pnm:
      if photo.format.hasAlpha { losses.append("transparency lies over white") }
      if photo.color.space != nil { losses.append("colours are sRGB") }
      if photo.format.isDeep, photo.format.hasAlpha || photo.color.space != nil {
        losses.append("16 bits are 8")
      }
    }
    return losses.isEmpty ? nil : losses.joined(separator: ", ")
  }
}

extension OpenPicture {
  /// What its owner should know of how it is read.
  func tell() {
    switch facts.colors {
    case .standard: break
    case .converted(let name):
      note("colours go from the profile \"\(name)\" to sRGB and back")
    case .carried(let name):
      note(
        "the profile \"\(name)\" is of a kind that is not understood: samples are taken for sRGB, and it goes with them"
      )
    case .ignored(let name):
      note("samples are taken for sRGB: \(name) is not understood")
    }
    if facts.hasAlpha { note("the edit sees the picture over white; its transparency stays") }
  }
}
