import Runtime
import Testing

@Suite("Places in the window") struct WindowRingTests {
  @Test("never share a byte while both are in use, and each comes back") func places() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      let most = Int.random(in: 1...20, using: &generator)
      let size = most + Int.random(in: 0...40, using: &generator)
      var ring = WindowRing(byteCount: size)
      var used: [Range<Int>] = []
      var placed = 0
      while placed < 300 {
        let bytes = Int.random(in: 1...most, using: &generator)
        if let start = ring.place(bytes) {
          let block = start..<start + bytes
          #expect(block.lowerBound >= 0 && block.upperBound <= size)
          #expect(used.allSatisfy { !$0.overlaps(block) }, "\(block) of \(size) beside \(used)")
          used.append(block)
          placed += 1
        } else {
          // What is in the way goes, so every sequence of blocks gets through.
          try #require(!used.isEmpty, "an empty window of \(size) has no place for \(bytes)")
        }
        if !used.isEmpty, Bool.random(using: &generator) {
          ring.release()
          used.removeFirst()
        }
        if used.count > 3 {
          ring.release()
          used.removeFirst()
        }
      }
    }
  }

  @Test("are filled from the end again at the start, once that is free") func round() {
    var ring = WindowRing(byteCount: 10)
    #expect(ring.place(4) == 0 && ring.place(5) == 4)
    #expect(ring.place(2) == nil)
    ring.release()
    #expect(ring.place(2) == 0 && ring.place(2) == 2 && ring.place(1) == nil)
    ring.release()
    #expect(ring.place(6) == 4)
  }
}
