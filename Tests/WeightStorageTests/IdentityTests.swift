import Files
import Testing
import WeightStorage

@Suite("Identity of weights") struct IdentityTests {
  private func identity(of tensors: [[String: StoredTensor]]) throws -> String {
    let folder = try TemporaryFolder()
    var index: [String] = []
    for (i, shard) in tensors.enumerated() {
      try folder.add("part\(i).safetensors", shard)
      index += shard.keys.map { "\"\($0)\": \"part\(i).safetensors\"" }
    }
    let path = try folder.add(
      "model.safetensors.index.json", "{\"weight_map\": {\(index.joined(separator: ", "))}}")
    var hash = SHA256()
    try Checkpoint(index: path).identify(to: &hash)
    return hash.finalize()
  }

  private let a = StoredTensor((0..<5000).map { Float($0) }, shape: [50, 100])
  private let b = StoredTensor([Float](repeating: 2, count: 12), shape: [3, 4])

  @Test("does not depend on how the tensors are spread over files")
  func shards() throws {
    #expect(try identity(of: [["a": a, "b": b]]) == identity(of: [["b": b], ["a": a]]))
  }

  @Test("changes with a name, a type, a shape, and with values that change as a whole or in the middle")
  func changes() throws {
    let plain = try identity(of: [["a": a, "b": b]])
    var scaled = a
    for i in scaled.bytes.indices { scaled.bytes[i] ^= 1 }
    var middle = a
    middle.bytes[10_000] ^= 1
    let others: [[String: StoredTensor]] = [
      ["a": a, "c": b], ["a": a],
      ["a": a, "b": StoredTensor([Float](repeating: 2, count: 12), shape: [4, 3])],
      ["a": a, "b": StoredTensor([Float16](repeating: 2, count: 12), shape: [3, 4])], ["a": scaled, "b": b],
      ["a": middle, "b": b],
    ]
    for other in others { #expect(try identity(of: [other]) != plain) }
  }
}
