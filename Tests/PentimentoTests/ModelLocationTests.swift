import Foundation
import Pentimento
import Testing

@Suite("Places of the embedded model") struct ModelLocationTests {
  private let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

  private func folders(_ names: [String]) throws {
    for name in names {
      try FileManager.default.createDirectory(
        at: root.appending(path: name), withIntermediateDirectories: true)
    }
  }

  /// A package with these folders, as far as its outside goes.
  private func makePackage(_ name: String, _ inner: [String]) throws {
    try folders([name] + inner.map { "\(name)/\($0)" })
    try Data().write(to: root.appending(path: "\(name)/Package.swift"))
  }

  private func models(_ executable: String) -> [String] {
    ModelLocation.places(around: root.appending(path: executable)).map(\.model.path)
      .filter { $0.hasPrefix(root.path) }.map { String($0.dropFirst(root.path.count + 1)) }
  }

  @Test("are beside an installed program") func installed() {
    #expect(models("bin/pentimento") == ["share/pentimento/embedded"])
  }

  @Test("are in the package that the program, or a package inside it, was built in") func built() throws {
    defer { try? FileManager.default.removeItem(at: root) }
    try makePackage("Pentimento", ["Sources/Pentimento", "Weights"])
    #expect(
      models("Pentimento/.build/x86/release/pentimento").contains("Pentimento/Weights/embedded"))
    try makePackage("Pentimento/Examples/Edit", ["Sources"])
    #expect(
      models("Pentimento/Examples/Edit/.build/x86/debug/edit").contains("Pentimento/Weights/embedded"))
  }

  @Test("are where SwiftPM keeps the library of a package that depends on it, and not in that package")
  func dependent() throws {
    defer { try? FileManager.default.removeItem(at: root) }
    try makePackage("App", ["Sources/App", "Weights"])
    try makePackage("App/.build/checkouts/other", ["Sources/Other", "Weights"])
    try makePackage("App/.build/checkouts/pentimento", ["Sources/Pentimento", "Weights"])
    #expect(
      models("App/.build/x86_64-unknown-linux-gnu/release/app") == [
        "App/.build/x86_64-unknown-linux-gnu/share/pentimento/embedded",
        "App/.build/checkouts/pentimento/Weights/embedded",
      ])
  }
}
