import Foundation
import Testing
import WeightStorage

@Suite("Mapped file that changes") struct FileMappingTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private static let rows = 1 << 16

  /// A container with one weight of 4 MB, all ones.
  private func container(_ name: String) throws -> Checkpoint {
    let path = "\(folder.path)/\(name)"
    let writer = try ContainerWriter(path: path, names: ["unet.a.weight"], metadataBytes: 100)
    try writer.begin("unet.a.weight", .f32, [Self.rows / 16, 16, 16])
    try writer.append([Float](repeating: 1, count: Self.rows * 16))
    writer.endTensor()
    try writer.finish(metadata: ["pentimento.shapes": #"{"unet.a.weight":[\#(Self.rows),16]}"#])
    return try ContainerFile(SafetensorsFile(path: path, label: name)).weights(of: "unet")
  }

  private func floats(_ weights: Checkpoint) throws -> UnsafeMutablePointer<Float> {
    try #require(try weights.address(of: "a.weight")).assumingMemoryBound(to: Float.self)
  }

  private func size(_ name: String) throws -> Int {
    try #require(
      try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\(name)")[.size] as? Int)
  }

  private func resize(_ name: String, to count: Int) throws {
    #expect(truncate("\(folder.path)/\(name)", count) == 0)
  }

  /// What `check` says, as a sentence.
  private func complaint(_ weights: Checkpoint) -> String? {
    do {
      try weights.checkUnchanged()
      return nil
    } catch { return "\(error)" }
  }

  @Test("gives zeros for what was cut off, in every thread, and says so")
  func shrinks() throws {
    let weights = try container("a")
    try #expect(floats(weights)[0] == 1 && complaint(weights) == nil)
    let whole = try size("a")
    try resize("a", to: 1 << 20)
    let address = UInt(bitPattern: try floats(weights))
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      let values = UnsafeMutablePointer<Float>(bitPattern: address)!
      // From both ends, so that several threads meet the first missing page at once.
      for i in stride(from: thread, to: Self.rows * 16, by: 1000) {
        let place = thread % 2 == 0 ? i : Self.rows * 16 - 1 - i
        #expect([0, 1].contains(values[place]))
      }
    }
    #expect(
      complaint(weights) == "a: is cut off: it needs \(whole) bytes and has \(1 << 20); download it again")
  }

  @Test("is noticed twice in a row, each file for itself")
  func twice() throws {
    let (first, second) = (try container("a"), try container("b"))
    try resize("a", to: 8192)
    try #expect(floats(first)[Self.rows * 16 - 1] == 0)
    #expect(complaint(first)?.contains("and has 8192") == true)
    #expect(complaint(second) == nil)
    try #expect(floats(second)[Self.rows * 16 - 1] == 1)
    try resize("b", to: 0)
    try #expect(floats(second)[0] == 0)
    #expect(complaint(second)?.contains("and has 0") == true)
    #expect(complaint(first)?.contains("and has 8192") == true)
    // A third in the place of one that is gone.
    let third = try container("c")
    try #expect(floats(third)[0] == 1 && complaint(third) == nil)
  }

  @Test("is noticed after it grew again, since zeros were read meanwhile")
  func growsAgain() throws {
    let weights = try container("a")
    let whole = try size("a")
    try resize("a", to: 1 << 20)
    try #expect(floats(weights)[Self.rows * 16 - 1] == 0)
    try resize("a", to: whole)
    #expect(complaint(weights)?.contains("is cut off: it needs \(whole) bytes") == true)
    #expect(throws: WeightFileError.self) { try weights.checkUnchanged() }
  }

  /// What is missing of a page that is still there in part reads as zeros, without a fault.
  @Test("is noticed where it lost a single byte")
  func oneByte() throws {
    let weights = try container("a")
    let whole = try size("a")
    try resize("a", to: whole - 1)
    #expect(complaint(weights)?.contains("needs \(whole) bytes and has \(whole - 1)") == true)
  }

  @Test("gives a sentence where it is read and not mapped, too")
  func unmapped() throws {
    let path = try folder.add(
      "f", ["weight": StoredTensor([Float](repeating: 1, count: 1 << 16), shape: [1 << 16])])
    let weights = try Checkpoint(file: path, label: "f")
    try resize("f", to: 4096)
    do {
      _ = try weights.floats("weight")
      Issue.record("was read")
    } catch {
      guard case .file(.truncated(file: "f", needs: _, has: 4096)) = error else { throw error }
    }
  }
}
