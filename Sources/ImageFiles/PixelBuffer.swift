import Pictures
import Platform

/// A whole picture as a decoder leaves it: `[height, width, bytesPerPixel]`, row-major, no padding.
final class PixelBuffer {
  let extent: Extent
  let bytesPerPixel: Int
  let start: UnsafeMutablePointer<UInt8>

  /// - Throws: `SystemRefusal.memory`.
  init(_ extent: Extent, bytesPerPixel: Int) throws {
    self.extent = extent
    self.bytesPerPixel = bytesPerPixel
    start = try Self.allocate(extent.width * extent.height * bytesPerPixel)
  }

  deinit { free(start) }

  func row(_ y: Int) -> UnsafeMutableBufferPointer<UInt8> {
    let bytes = extent.width * bytesPerPixel
    return UnsafeMutableBufferPointer(start: start + y * bytes, count: bytes)
  }

  /// Bytes that `free` gives back; an array would end the program where there are none.
  static func allocate(_ count: Int) throws -> UnsafeMutablePointer<UInt8> {
    guard let memory = malloc(max(count, 1)) else { throw SystemRefusal.memory(bytes: count, code: errno) }
    return memory.assumingMemoryBound(to: UInt8.self)
  }
}
