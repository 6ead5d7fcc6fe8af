import Files
import Foundation
import Testing
import WeightStorage

@Suite("GGUF file") struct GGUFTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../Fixtures/GGUF").standardizedFileURL.path

  private func sound() throws -> [UInt8] {
    try FileReader.contents(of: Self.folder + "/every-type.gguf", label: "f")
  }

  @Test("gives every element type as ggml's own reference does, bit for bit")
  func everyType() throws {
    let file = try GGUFFile(path: Self.folder + "/every-type.gguf")
    let expected = try SafetensorsFile(path: Self.folder + "/every-type.safetensors")
    #expect(Set(file.tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
    let floats: Set<StoredElement> = [.f32, .f16, .bf16]
    #expect(Set(file.tensors.map(\.element)) == Set(StoredElement.allCases.filter(\.isBlock)).union(floats))
    for tensor in file.tensors {
      #expect(try tensor.shape == expected.tensor(tensor.name).shape, "\(tensor.name)")
      let (values, reference) = (try file.floats(tensor.name), try expected.floats(tensor.name))
      let different = values.indices.filter { values[$0].bitPattern != reference[$0].bitPattern }
      #expect(
        different.isEmpty,
        "\(tensor.name): \(different.count) of \(values.count), \(different.prefix(3).map { (values[$0], reference[$0]) })"
      )
    }
    #expect(file.metadata["general.architecture"] == .string("sd1"))
    #expect(file.metadata["tokens"] == .array(count: 40))
  }

  /// Rows of 36 elements in blocks of 32 begin and end inside blocks.
  @Test("gives any rows of a tensor, whether blocks end there or not")
  func rows() throws {
    let weights = try Checkpoint(file: Self.folder + "/every-type.gguf")
    for (name, row) in [("conv.weight", 36), ("q5_k.weight", 512), ("q4_1.weight", 96), ("f16", 7)] {
      let whole = try weights.floats(name)
      let count = whole.count / row
      let element = try weights.element(of: name)
      #expect(element == (name == "f16" ? .f16 : .f32), "blocks are not rounded")
      for rows in [0..<1, 0..<count, 1..<count, count - 1..<count, 2..<2] {
        var window = [UInt8](repeating: 0xFF, count: rows.count * row * element.byteCount)
        try window.withUnsafeMutableBytes { _ = try weights.read(rows, of: name, into: $0) }
        let part = stride(from: 0, to: window.count, by: element.byteCount).map { i in
          window.withUnsafeBytes {
            element == .f16
              ? Float($0.loadUnaligned(fromByteOffset: i, as: Float16.self))
              : $0.loadUnaligned(fromByteOffset: i, as: Float.self)
          }
        }
        #expect(part == Array(whole[rows.lowerBound * row..<rows.upperBound * row]), "\(name) \(rows)")
      }
    }
  }

  @Test("gives parts of a fused tensor, and no part that ends inside a block")
  func parts() throws {
    let file = try GGUFFile(path: Self.folder + "/every-type.gguf")
    let fused = try #require(file["q6_k.weight"])
    let parts = try (0..<3).map { try #require(fused.part($0, of: 3)).renamed("\($0)") }
    let weights = Checkpoint(file, tensors: parts, label: "parts")
    let joined = try ["0", "1", "2"].flatMap { try weights.floats($0) }
    #expect(try joined == file.floats("q6_k.weight"))
    #expect(try #require(file["conv.weight"]).part(0, of: 2) == nil, "4 rows of 36 are no blocks of 32")
  }

  @Test("gives a matrix of blocks turned")
  func transposed() throws {
    let file = try GGUFFile(path: Self.folder + "/every-type.gguf")
    let entry = try #require(file["q8_0.weight"]?.transposed())
    let weights = Checkpoint(file, tensors: [entry], label: "turned")
    let (turned, plain) = (try weights.floats("q8_0.weight"), try file.floats("q8_0.weight"))
    let expected = (0..<plain.count).map { (i: Int) -> Float in plain[i % 3 * 96 + i / 3] }
    #expect(turned == expected)
  }

  @Test("is refused wherever it is cut off")
  func truncated() throws {
    let folder = try TemporaryFolder()
    let bytes = try sound()
    // The last tensor's own padding is no data.
    let data = try GGUFFile(path: Self.folder + "/every-type.gguf").tensors.map(\.range.upperBound).max()!
    for count in Array(0..<min(2500, data)) + [data - 1] {
      let path = try folder.add("cut", bytes[..<count])
      #expect(throws: WeightFileError.self, "\(count) of \(bytes.count) bytes") { try GGUFFile(path: path) }
    }
  }

  @Test("with one flipped bit in its tables is refused or describes bytes that are there")
  func bitFlips() throws {
    let folder = try TemporaryFolder()
    let bytes = try sound()
    let tables = try GGUFFile(path: Self.folder + "/every-type.gguf").tensors.map(\.range.lowerBound).min()!
    for bit in stride(from: 0, to: tables * 8, by: 7) {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << (bit % 8)
      guard let file = try? GGUFFile(path: folder.add("flipped", flipped)) else { continue }
      for tensor in file.tensors {
        #expect(tensor.range.upperBound <= bytes.count)
        #expect(tensor.range.count == tensor.count / tensor.element.blockLength * tensor.element.blockBytes)
      }
    }
  }

  @Test("says what is wrong with it")
  func sentences() throws {
    let folder = try TemporaryFolder()
    func refusal(_ change: (inout [UInt8]) -> Void) throws -> String {
      var bytes = try sound()
      change(&bytes)
      do {
        _ = try GGUFFile(path: folder.add("f", bytes), label: "f")
        return "opened"
      } catch {
        return "\(error)"
      }
    }
    #expect(try refusal { $0[0] = 0 }.contains("does not begin with \"GGUF\""))
    #expect(try refusal { $0[4] = 9 }.contains("version 9"))
    #expect(try refusal { $0[15] = 1 }.contains("tensors"))
    #expect(try refusal { $0.removeLast($0.count / 2) }.contains("is cut off"))
    let name = Array("q6_k.weight".utf8)
    let bytes = try sound()
    let at = try #require(bytes.indices.first { bytes[$0...].starts(with: name) }) + name.count
    // After the name: the number of dimensions, two sizes, the type, the offset.
    #expect(
      try refusal { $0[at + 20] = 99 }.contains("tensor q6_k.weight has the element type \"GGUF type 99\""))
    #expect(try refusal { $0[at + 4] = 1 }.contains("are no whole blocks of Q6_K"))
    #expect(try refusal { $0[at + 24] = 1 }.contains("q6_k.weight"))
  }
}
