/// The pages in which the system maps, keeps and drops memory and files, never less than a whole one.
package enum MemoryPages {
  /// Bytes of a page: 4 KiB on most machines, 16 KiB on a Raspberry Pi 5 or a Mac, 64 KiB on some servers; a power of 2.
  /// A test may say more than is true, since what is aligned to a larger page is aligned to the system's too.
  @TaskLocal package static var bytes = Int(sysconf(Int32(_SC_PAGESIZE)))

  /// The smallest page of any system that the program runs on.
  package static let leastBytes = 4096

  /// All of the pages that a range of bytes has a part in.
  package static func touched(by range: Range<Int>) -> Range<Int> {
    guard !range.isEmpty else { return range.lowerBound..<range.lowerBound }
    return range.lowerBound / bytes * bytes..<(range.upperBound + bytes - 1) / bytes * bytes
  }
}
