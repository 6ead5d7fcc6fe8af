import NeuralGraph
import Runtime
import Tensors
import Testing

@Suite("Reading ahead") struct ReadAheadTests {
  /// Weights of these sizes, fetched in this order.
  private func fetches(_ sizes: [Int]) -> [(value: Value, bytes: Int)] {
    let g = GraphBuilder().root
    return sizes.enumerated().map { (g.weight("\($0)", [$1], .vector), $1) }
  }

  @Test("asks for every weight once before its turn, for no more than there is room, and into the next pass")
  func order() {
    let fetches = fetches([3, 1, 1, 1, 4, 2, 5, 1])
    var ahead = ReadAhead(bytes: 5)
    var waiting: [Value] = []
    func bytes(_ values: [Value]) -> Int {
      values.reduce(0) { sum, value in sum + fetches.first { $0.value == value }!.bytes }
    }
    for pass in 0..<3 {
      ahead.begin(fetches)
      for (i, fetch) in fetches.enumerated() {
        if pass > 0 || i > 0 {
          #expect(waiting.first == fetch.value, "pass \(pass), fetch \(i)")
          waiting.removeFirst()
        }
        ahead.isFetched()
        ahead.ask { waiting.append($0) }
        #expect(bytes(waiting) <= 5 && Set(waiting).count == waiting.count && !waiting.isEmpty)
      }
    }
    #expect(waiting == [fetches[0].value, fetches[1].value, fetches[2].value])
  }

  @Test("asks for nothing where there is no room, and never for more than one pass") func bounds() {
    let fetches = fetches([2, 2])
    var none = ReadAhead(bytes: 0)
    none.begin(fetches)
    none.isFetched()
    none.ask { _ in Issue.record("no room") }
    var all = ReadAhead(bytes: 1000)
    all.begin(fetches)
    all.isFetched()
    var asked = 0
    all.ask { _ in asked += 1 }
    #expect(asked == 2, "the other one, and this one for the next pass")
  }

  @Test("begins anew after a pass that was cut short") func cutShort() {
    let fetches = fetches([1, 1, 1])
    var ahead = ReadAhead(bytes: 1)
    ahead.begin(fetches)
    ahead.isFetched()
    ahead.ask { #expect($0 == fetches[1].value) }
    ahead.begin(fetches)
    ahead.isFetched()
    var asked: [Value] = []
    ahead.ask { asked.append($0) }
    #expect(asked == [fetches[1].value])
  }
}
