/// What one run of a network cost, as lines: the whole, then each class of operators, the dearest first.
struct CostTable {
  var title: String
  var run: MeasuredNetwork.Run
  /// Seconds of the fastest and of the slowest run.
  var least: Double, most: Double
  var peak: Peak

  func print() {
    let whole = run.products
    let bound = run.costs.reduce(0) { $0 + seconds(of: $1.value.products, $1.key) }
    let unit = peak.isOfInstructions ? "in registers" : "of a tile in cache"
    Swift.print("")
    Swift.print(
      "\(title): \(decimals(run.seconds, 3)) s (\(decimals(least, 3))–\(decimals(most, 3))), \(rate(whole, run.seconds)), "
        + "\(percent(bound / run.seconds)) of peak")
    Swift.print("peak \(unit): int8 \(gmac(peak.bytes)) GMAC/s, float \(gmac(peak.floats)) GMAC/s")
    line("", ["seconds", "share", "GMAC", "GMAC/s", "of peak", "nodes"])
    for (kind, cost) in run.costs.sorted(by: { $0.value.seconds > $1.value.seconds }) {
      let counts = cost.products > 0
      line(
        kind.name + (kind.multipliesBytes ? ", int8" : ""),
        [
          decimals(cost.seconds, 3), percent(cost.seconds / run.seconds),
          counts ? gmac(Double(cost.products)) : "",
          counts ? gmac(Double(cost.products) / cost.seconds) : "",
          counts ? percent(seconds(of: cost.products, kind) / cost.seconds) : "",
          "\(cost.nodes)",
        ])
    }
    line("between operators", [decimals(run.outside, 3), percent(run.outside / run.seconds)])
  }

  /// What multiply-adds take at the peak.
  private func seconds(of products: Int, _ kind: OperatorClass) -> Double {
    Double(products) / (kind.multipliesBytes ? peak.bytes : peak.floats)
  }

  private func rate(_ products: Int, _ seconds: Double) -> String {
    "\(gmac(Double(products))) GMAC, \(gmac(Double(products) / seconds)) GMAC/s"
  }

  private func gmac(_ products: Double) -> String { decimals(products * 1e-9) }
  private func percent(_ part: Double) -> String { "\(decimals(100 * part)) %" }

  private func line(_ name: String, _ columns: [String]) {
    func padding(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(1, width - text.count))
    }
    Swift.print(
      "  " + name + padding(name, 26) + columns.map { padding($0, 10) + $0 }.joined())
  }
}
