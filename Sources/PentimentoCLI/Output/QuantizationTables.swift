import Kernels
import Packing
import Pentimento

/// What quantizing did, or would do.
extension QuantizationReport {
  /// Totals; of a forecast what stays wider than int8; the ten weights that lost most.
  var table: String {
    func row(_ cells: [String]) -> String {
      cells[0].padding(to: 8) + cells.dropFirst().map { $0.aligned(to: 12) }.joined()
    }
    var lines = [row(["stored", "weights", "numbers", "MB"])]
    for (kind, weights, numbers, bytes) in totals {
      lines.append(row([kind, "\(weights)", "\(numbers)", String(megabytes: bytes)]))
    }
    lines.append(row(["file", "", "", String(megabytes: bytes)]))
    if sampled != nil { lines += wideLayers }
    lines += losses
    return lines.joined(separator: "\n")
  }

  /// The layers of an int8 file that stay fp16, of a kind together: `unet … time_emb_proj`.
  private var wideLayers: [String] {
    let wide = entries.filter { $0.to == "f16" && $0.shape.count > 1 }
    guard precision == .int8, !wide.isEmpty else { return [] }
    let kinds = Dictionary(grouping: wide) { entry in
      let parts = entry.name.split(separator: ".").filter { Int($0) == nil && $0 != "weight" }
      return "\(parts.first ?? "") \(parts.last ?? "")"
    }
    let rows: [(kind: String, count: Int, bytes: Int)] = kinds.map { kind, entries in
      (kind: kind, count: entries.count, bytes: entries.reduce(0) { $0 + $1.bytes })
    }
    let sorted = rows.sorted { ($1.bytes, $0.kind) < ($0.bytes, $1.kind) }
    let lines = sorted.map { row in
      "\(row.count)".padding(to: 8) + String(megabytes: row.bytes).aligned(to: 8) + " MB  \(row.kind)"
    }
    return ["", "stay fp16"] + lines
  }

  private var losses: [String] {
    let worst = worst(10)
    guard !worst.isEmpty else { return [] }
    var lines = [""]
    if let sampled {
      let values = entries.compactMap(\.signalToNoise).sorted()
      let int8 = entries.count { $0.to == "s8" }
      lines.append(
        "signal to noise expected from \(sampled) of \(int8) int8 weights: "
          + "\(values[values.count / 2]) dB in the middle, \(values[0]) dB at the least")
    } else {
      lines.append("signal to noise of the weights that lost most, dB")
    }
    return lines + worst.map { "\($0.signalToNoise!)".padding(to: 8) + "\($0.to)  \($0.name)" }
  }
}

extension Calibration {
  /// The error of each part, and the rotations that gain most.
  var table: String {
    func decibels(_ value: Double?) -> String { value.map { "\($0)" } ?? "equal" }
    var lines = ["reconstruction from an inversion with one part in int8, against the original, dB"]
    lines += groups.map { decibels($0.decibels).padding(to: 8) + $0.name }
    lines.append(decibels(whole).padding(to: 8) + "all parts")
    lines += ["", "\(rotations.count) weights rotated; gain in their layer, dB"]
    lines += rotations.prefix(10).map { "\($0.gain)".padding(to: 8) + "\($0.width)  \($0.weight)" }
    return lines.joined(separator: "\n")
  }
}

extension ContainerComparison {
  var table: String {
    func row(_ name: String, _ one: String, _ other: String) -> String {
      name.padding(to: 22) + one.aligned(to: 14) + other.aligned(to: 14)
    }
    var lines = [row("", "first", "second")]
    lines.append(row("file, MB", String(megabytes: first.bytes), String(megabytes: second.bytes)))
    lines.append(
      row("weights, scales by", "\(first.weights), \(first.scales)", "\(second.weights), \(second.scales)"))
    for kind in Set(first.counts.keys).union(second.counts.keys).sorted() {
      lines.append(row("\(kind) weights", "\(first.counts[kind] ?? 0)", "\(second.counts[kind] ?? 0)"))
    }
    lines.append(row("least, dB", decibels(first.least), decibels(second.least)))
    lines.append(hasOneSource ? "made from the same files" : "made from different files")
    lines.append("\(equal) of \(equal + differences.count) weights are the same, byte for byte")
    guard !differences.isEmpty else { return lines.joined(separator: "\n") }
    lines += ["", "the others, as stored and their signal to noise, dB"]
    lines += differences.prefix(40).map { difference in
      cell(difference.first).padding(to: 18) + cell(difference.second).padding(to: 18) + difference.name
    }
    if differences.count > 40 { lines.append("and \(differences.count - 40) more; --report json has all") }
    return lines.joined(separator: "\n")
  }

  private func decibels(_ value: Double?) -> String { value.map { "\($0)" } ?? "equal" }

  private func cell(_ weight: Stored?) -> String {
    weight.map { "\($0.element) \(decibels($0.signalToNoise))" } ?? "–"
  }
}
