import ArgumentParser

/// A number of bytes as people write it: `80M` (80·10⁶), `80Mi` (80·2²⁰), `80000000`; K, M, G and Ki, Mi, Gi, in small
/// letters too, with or without a B behind them.
struct MemorySize: ExpressibleByArgument, Equatable {
  let bytes: Int

  /// Nil for anything else, for what no machine could address, and for less than a megabyte: `400` was to be `400M`.
  init?(argument: String) {
    let digits = argument.prefix { ("0"..."9").contains($0) }
    let factors = [
      "k": 1_000, "m": 1_000_000, "g": 1_000_000_000, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30,
    ]
    var unit = argument.dropFirst(digits.count).lowercased()
    if unit.hasSuffix("b") { unit.removeLast() }
    guard let number = Int(digits), number > 0, let factor = unit.isEmpty ? 1 : factors[unit] else {
      return nil
    }
    let (bytes, overflows) = number.multipliedReportingOverflow(by: factor)
    guard !overflows, bytes >= 1_000_000 else { return nil }
    self.bytes = bytes
  }
}
