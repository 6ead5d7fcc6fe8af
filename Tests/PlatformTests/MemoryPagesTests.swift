import Platform
import Testing

@Suite("Pages of memory") struct MemoryPagesTests {
  /// Most machines; a Raspberry Pi 5; some servers.
  static let sizes = [4096, 16384, 65536]

  @Test("are as the system says, and not less than the least") func system() {
    #expect(MemoryPages.bytes == Int(sysconf(Int32(_SC_PAGESIZE))))
    #expect(MemoryPages.bytes >= MemoryPages.leastBytes && MemoryPages.bytes.nonzeroBitCount == 1)
  }

  @Test("are those that a range has a byte in, whole", arguments: sizes) func touched(page: Int) {
    MemoryPages.$bytes.withValue(page) {
      let places = [0, 1, page - 1, page, page + 1, 3 * page, 5 * page + 7]
      for start in places {
        for end in places where end > start {
          let pages = MemoryPages.touched(by: start..<end)
          #expect(pages.lowerBound % page == 0 && pages.upperBound % page == 0)
          #expect(pages.lowerBound <= start && end <= pages.upperBound)
          // The first and the last have a byte of the range.
          #expect(pages.lowerBound + page > start && pages.upperBound - page < end)
        }
        #expect(MemoryPages.touched(by: start..<start).isEmpty)
      }
    }
  }
}
