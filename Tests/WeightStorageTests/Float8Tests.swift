import Foundation
import Tensors
import Testing
import WeightStorage

@Suite("8-bit floating point") struct Float8Tests {
  private let folder: TemporaryFolder
  private let codes = Array(0...255 as ClosedRange<UInt8>)
  init() throws { folder = try TemporaryFolder() }

  /// The value of a code by the definition of its format (Micikevicius et al. 2022, table 1).
  private func value(_ code: UInt8, significandBits m: Int, bias: Int, hasInfinity: Bool) -> Float {
    let sign: Float = code & 0x80 == 0 ? 1 : -1
    let exponent = Int(code & 0x7F) >> m
    let fraction = Float(Int(code) & (1 << m - 1)) / Float(1 << m)
    let top = 1 << (7 - m) - 1
    if hasInfinity, exponent == top { return fraction == 0 ? sign * .infinity : .nan }
    if !hasInfinity, code & 0x7F == 0x7F { return .nan }
    return exponent == 0
      ? sign * fraction * Float(sign: .plus, exponent: 1 - bias, significand: 1)
      : sign * (1 + fraction) * Float(sign: .plus, exponent: exponent - bias, significand: 1)
  }

  private func expected(_ element: StoredElement) -> [Float] {
    element == .f8e4m3
      ? codes.map { value($0, significandBits: 3, bias: 7, hasInfinity: false) }
      : codes.map { value($0, significandBits: 2, bias: 15, hasInfinity: true) }
  }

  /// Equal, signs of zeros included; every NaN is like every other.
  private func isSame(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0.isNaN ? $1.isNaN : $0.bitPattern == $1.bitPattern }
  }

  @Test("is read exactly, all 256 codes", arguments: [StoredElement.f8e4m3, .f8e5m2])
  func codes(element: StoredElement) throws {
    let path = try folder.add("f", ["w": StoredTensor(element: element, shape: [256], bytes: codes)])
    let values = try SafetensorsFile(path: path).floats("w")
    #expect(isSame(values, expected(element)))
    let checkpoint = try Checkpoint(file: path)
    #expect(try checkpoint.element(of: "w") == .f16)
    #expect(isSame(try checkpoint.floats("w"), expected(element)))
  }

  @Test("is read in rows as Float16", arguments: [StoredElement.f8e4m3, .f8e5m2])
  func rows(element: StoredElement) throws {
    let path = try folder.add("f", ["w": StoredTensor(element: element, shape: [16, 16], bytes: codes)])
    let checkpoint = try Checkpoint(file: path)
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: 200, alignment: 16)
    defer { window.deallocate() }
    let rows = try checkpoint.read(3..<7, of: "w", into: window)
    #expect(rows.count == 4 * 16 * 2)
    let values = rows.bindMemory(to: UInt16.self).map { Float(Float16(bitPattern: $0)) }
    #expect(isSame(values, Array(expected(element)[48..<112])))
  }
}

/// Tensors under other names, as translated files have them.
@Suite("A view of a tensor") struct TensorViewTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func open(_ shape: [Int], _ element: StoredElement = .f32) throws -> (SafetensorsFile, TensorEntry)
  {
    let count = shape.reduce(1, *)
    let tensor =
      element == .f32
      ? StoredTensor((0..<count).map(Float.init), shape: shape)
      : StoredTensor(element: element, shape: shape, bytes: (0..<count).map { UInt8($0 % 120) })
    let file = try SafetensorsFile(
      path: folder.add("f", ["other": StoredTensor([7] as [Float], shape: [1]), "w": tensor]))
    return (file, try file.tensor("w"))
  }

  @Test("of part of the rows has those rows")
  func part() throws {
    let (file, entry) = try open([6, 2])
    let parts = try (0..<3).map { try #require(entry.part($0, of: 3)).renamed("p\($0)") }
    let view = Checkpoint(file, tensors: parts, label: "view")
    #expect(view.names == ["p0", "p1", "p2"])
    #expect(try view.floats("p1", shape: [2, 2]) == [4, 5, 6, 7])
    #expect(entry.part(0, of: 4) == nil)
    #expect(throws: WeightFileError.missingTensor(file: "view", tensor: "w")) { try view.tensor("w") }
  }

  /// Sizes below and above the 64 KB that are read at a time.
  @Test("that is transposed has rows for columns", arguments: [(3, 5), (130, 401), (20_000, 2), (1, 40_000)])
  func transposed(k: Int, n: Int) throws {
    let (file, entry) = try open([k, n])
    let view = Checkpoint(file, tensors: [try #require(entry.transposed())], label: "view")
    let expected = (0..<n).flatMap { j in (0..<k).map { Float($0 * n + j) } }
    #expect(try view.floats("w", shape: [n, k]) == expected)
    let rows = n / 3..<n
    let window = UnsafeMutableRawBufferPointer.allocate(byteCount: rows.count * k * 4, alignment: 16)
    defer { window.deallocate() }
    #expect(
      try view.read(rows, of: "w", into: window).bindMemory(to: Float.self).elementsEqual(
        expected[(n / 3 * k)...]))
  }

  @Test("that is transposed may have 8 bits")
  func transposedCodes() throws {
    let (file, entry) = try open([300, 400], .f8e4m3)
    let plain = try file.floats("w")
    let view = Checkpoint(file, tensors: [try #require(entry.transposed())], label: "view")
    #expect(try view.floats("w") == (0..<400).flatMap { j in (0..<300).map { plain[$0 * 400 + j] } })
  }

  @Test("of a 1×1 convolution is a matrix, of another nothing new")
  func flattened() throws {
    #expect(try open([4, 3, 1, 1]).1.flattened().shape == [4, 3])
    #expect(try open([4, 3, 1, 2]).1.flattened().shape == [4, 3, 1, 2])
  }
}
