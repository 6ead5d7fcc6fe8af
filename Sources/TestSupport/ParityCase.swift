import Files
import FoundationEssentials
import JSON
import Tensors
import WeightStorage

/// What another implementation expects of a traced case, with the tolerances that it derived.
package struct ParityCase: Sendable, CustomStringConvertible {
  package let folder: URL

  package init(folder: URL) { self.folder = folder }

  package var description: String { folder.pathComponents.suffix(2).joined(separator: "/") }

  /// Every case under a folder of fixtures (`Tests/Fixtures`) whose name starts with one of `prefixes`.
  package static func all(in fixtures: URL, prefixes: [String] = [""]) -> [ParityCase] {
    let manager = FileManager.default
    func children(_ folder: URL) -> [URL] {
      ((try? manager.contentsOfDirectory(atPath: folder.path)) ?? []).sorted().map {
        folder.appending(path: $0, directoryHint: .checkFileSystem)
      }
    }
    return children(fixtures).flatMap(children)
      .filter { manager.fileExists(atPath: $0.appending(path: "case.json").path) }
      .filter { folder in prefixes.contains { folder.lastPathComponent.hasPrefix($0) } }
      .map(ParityCase.init(folder:))
  }

  /// Everything that is wrong with a result; empty if it is right.
  ///
  /// Floats may differ by the case's `atol`, which is 20 times the distance between the reference in Double and
  /// in Float, or 1e-5 of the largest value if that is more. Integers have to be equal, `alpha_bar` bit for bit,
  /// bytes within 1 (a rounding may fall on the other side).
  package func differences(in result: SafetensorsFile) throws -> [String] {
    let expected = try SafetensorsFile(path: folder.appending(path: "expected.safetensors").path)
    let path = folder.appending(path: "case.json").path
    let bytes = [UInt8](try FileReader.contents(of: path))
    let tolerances = ConfigValue(file: path, value: try JSONValue(parsing: bytes, file: path))["expected"]

    var wrong: [String] = []
    let (names, found) = (Set(expected.tensors.map(\.name)), Set(result.tensors.map(\.name)))
    wrong += names.subtracting(found).sorted().map { "\($0) is missing" }
    wrong += found.subtracting(names).sorted().map { "\($0) was not expected" }
    for name in names.intersection(found).sorted() {
      let (want, got) = (try expected.tensor(name), try result.tensor(name))
      guard want.shape == got.shape, want.element == got.element else {
        wrong.append(
          "\(name): \(got.element.rawValue) \(got.shape), not \(want.element.rawValue) \(want.shape)")
        continue
      }
      switch want.element {
      case .i64:
        if try expected.integers(name) != result.integers(name) { wrong.append("\(name): other integers") }
      case .u8:
        let worst =
          zip(try expected.bytes(name), try result.bytes(name)).map { abs(Int($0) - Int($1)) }.max() ?? 0
        if worst > 1 { wrong.append("\(name): off by \(worst)") }
      default:
        let (a, b) = (try expected.floats(name), try result.floats(name))
        if name == "alpha_bar" {
          if a.map(\.bitPattern) != b.map(\.bitPattern) { wrong.append("alpha_bar: other bits") }
          continue
        }
        let scale = a.map(abs).max() ?? 0
        let atol = tolerances[name]["atol"]
        let tolerance = atol.isPresent ? Float(try atol.real()) : 1e-5 * scale
        let worst = zip(a, b).map { abs($0 - $1) }.max() ?? 0
        if !(worst <= tolerance) || b.contains(where: \.isNaN) {
          wrong.append("\(name): off by \(worst), allowed \(tolerance) of \(scale)")
        }
      }
    }
    return wrong
  }
}
