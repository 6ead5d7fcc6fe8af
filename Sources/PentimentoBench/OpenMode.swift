import FoundationEssentials
import Pentimento

/// `pentimento-bench open MODEL`: what opening a model costs, in milliseconds and bytes of this process.
///
///     first      the first time, with everything that the process does for the first time
///     again      median of ten more
///     private    growth of the memory that no file backs (`Private_Dirty`), with the model open
///     mapped     growth of the pages of files (`RssFile`), which the system may take back at any time
struct OpenMode: BenchMode {
  private let path: String

  init(_ arguments: ArraySlice<String>) throws {
    guard arguments.count == 1, let path = arguments.first else { throw Misuse(description: "name a model") }
    self.path = path
  }

  func run() async throws {
    func open() throws -> (Model, milliseconds: Double) {
      let start = ContinuousClock.now
      let model = try Model(at: URL(fileURLWithPath: path))
      return (model, start.duration(to: .now) / .milliseconds(1))
    }
    _ = Self.figure("Private_Dirty:", "/proc/self/smaps_rollup")  // reading costs memory too
    let privately = Self.figure("Private_Dirty:", "/proc/self/smaps_rollup")
    let mapped = Self.figure("RssFile:", "/proc/self/status")
    let (model, first) = try open()
    let growth = (
      Self.figure("Private_Dirty:", "/proc/self/smaps_rollup") - privately,
      Self.figure("RssFile:", "/proc/self/status") - mapped
    )
    let again = try (0..<10).map { _ in try open().milliseconds }.sorted()[5]
    withExtendedLifetime(model) {
      print(
        "first \(Self.tenths(first)) ms, again \(Self.tenths(again)) ms, private \(Self.tenths(Double(growth.0) / 1e6)) MB, "
          + "mapped \(Self.tenths(Double(growth.1) / 1e6)) MB")
    }
  }

  private static func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }

  private static func figure(_ key: String, _ file: String) -> Int {
    let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
    return line?.split(separator: " ").compactMap { Int($0) }.first.map { $0 * 1024 } ?? 0
  }
}
