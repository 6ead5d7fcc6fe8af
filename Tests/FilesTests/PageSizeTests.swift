import Files
import Foundation
import Platform
import Testing

/// Mapping, dropping and asking with pages of the system's size and larger, on ranges that begin and end anywhere, as
/// tensors do.
@Suite("Pages of a file") struct PageSizeTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  static let sizes = [4096, 16384, 65536].filter { $0 >= Int(sysconf(Int32(_SC_PAGESIZE))) }
  /// Not a multiple of any page.
  private static let count = 5 * 65536 + 12345
  private static let ranges = [
    0..<1, 100..<5000, 4096..<8192, 65535..<65537, 70000..<200_000, 131_072..<196_608, 0..<count,
    count - 1..<count,
    200_000..<200_000,
  ]

  /// On the disk, so that the system may drop it.
  private func file() throws -> FileReader {
    let path = try folder.add("f", String(repeating: "0123456789abcde", count: Self.count / 15 + 1))
    #expect(truncate(path, Self.count) == 0)
    let descriptor = open(path, O_RDWR)
    defer { close(descriptor) }
    #expect(fsync(descriptor) == 0)
    return try FileReader(path: path)
  }

  private func byte(_ place: Int) -> UInt8 { Array("0123456789abcde".utf8)[place % 15] }

  /// Which of the system's pages of a range of addresses the process has; nil where the system does not say.
  private func present(_ address: UnsafeMutableRawPointer, _ count: Int) -> [Bool]? {
    guard getenv("QEMU_CPU") == nil, let file = FileHandle(forReadingAtPath: "/proc/self/pagemap") else {
      return nil
    }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let pages = (count + page - 1) / page
    try? file.seek(toOffset: UInt64(UInt(bitPattern: address)) / UInt64(page) * 8)
    guard let entries = try? file.read(upToCount: 8 * pages), entries.count == 8 * pages else { return nil }
    return (0..<pages).map { entries[entries.startIndex + 8 * $0 + 7] & 0x80 != 0 }
  }

  @Test("leave the process whole, the neighbours' with them, and come back as they were", arguments: sizes)
  func release(page: Int) throws {
    let reader = try file()
    let mapping = try FileMapping(reader)
    let bytes = UnsafeRawBufferPointer(start: mapping.address(0), count: Self.count)
    let real = Int(sysconf(Int32(_SC_PAGESIZE)))
    for range in Self.ranges {
      for (place, byte) in bytes.enumerated() where byte != self.byte(place) { Issue.record("\(place)") }
      let before = present(mapping.address(0), Self.count)
      MemoryPages.$bytes.withValue(page) { mapping.release(range) }
      if let before, let after = present(mapping.address(0), Self.count) {
        let gone = range.isEmpty ? 0..<0 : range.lowerBound / page..<(range.upperBound + page - 1) / page
        for (i, isPresent) in after.enumerated() {
          #expect(isPresent == (before[i] && !gone.contains(i * real / page)), "page \(i), \(range)")
        }
      }
    }
    for (place, byte) in bytes.enumerated() where byte != self.byte(place) { Issue.record("\(place)") }
    try mapping.check()
  }

  @Test("leave the cache whole, and are in it again when they were read", arguments: sizes)
  func cache(page: Int) throws {
    let reader = try file()
    for range in Self.ranges where !range.isEmpty {
      let all = try reader.bytes(0..<Self.count)
      #expect(all.indices.allSatisfy { all[$0] == byte($0) })
      let pages = MemoryPages.$bytes.withValue(page) {
        #expect(reader.isCached(range) && reader.isCached(0..<Self.count))
        reader.dropCache(range)
        return MemoryPages.touched(by: range).clamped(to: 0..<Self.count)
      }
      // A file system in memory keeps its files.
      if !reader.isCached(range) {
        for place in [pages.lowerBound, range.lowerBound, range.upperBound - 1, pages.upperBound - 1] {
          #expect(!reader.isCached(place..<place + 1), "\(place) of \(range)")
        }
        if pages.lowerBound > 0 { #expect(reader.isCached(pages.lowerBound - 1..<pages.lowerBound)) }
        if pages.upperBound < Self.count { #expect(reader.isCached(pages.upperBound..<pages.upperBound + 1)) }
      }
      #expect(try reader.bytes(range).enumerated().allSatisfy { $1 == byte(range.lowerBound + $0) })
    }
  }
}
