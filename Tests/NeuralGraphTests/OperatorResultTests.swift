import Kernels
import OperatorCases
import TestSupport
import Testing

/// The comparison that `pentimento verify` rests on.
@Suite("Results of an operator") struct OperatorResultTests {
  private static let uses = OperatorResults.Use.all(.small)

  @Test("are those of the scalar twins, within their bounds, with every set", arguments: KernelSet.runnable)
  func sets(set: KernelSet) throws {
    for use in Self.uses {
      let twin = try OperatorResults(use, .of(2, kernels: .named("scalar")!))
      let results = try OperatorResults(use, .of(2, kernels: set))
      #expect(results.differences(from: twin) == [])
      if set.name == "scalar" { #expect(results.changes(from: twin) == []) }
    }
  }

  @Test("with one number off are named, and with one bit off are another's bits")
  func faults() throws {
    let results = try OperatorResults(Self.uses[0], .of(1))
    for place in results.all.indices {
      var off = results
      off.all[place].values[3] += Float(3 * off.all[place].tolerance)
      let found = off.differences(from: results)
      #expect(found.count == 1 && found[0].hasPrefix("\(results.name), \(results.all[place].name): off by"))
      var turned = results
      turned.all[place].values[3] = turned.all[place].values[3].nextUp
      #expect(turned.differences(from: results) == [])
      #expect(turned.changes(from: results) == ["\(results.name), \(results.all[place].name)"])
      var lost = results
      lost.all[place].values[3] = .nan
      #expect(lost.differences(from: results).count == 1)
    }
  }
}
