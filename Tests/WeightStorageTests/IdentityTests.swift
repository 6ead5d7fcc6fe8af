import Testing
import WeightStorage

@Suite("SHA-256") struct SHA256Tests {
  /// FIPS 180-4 examples (NIST: one block, two blocks, empty) and the long message of RFC 6234.
  @Test(
    "agrees with the standard's examples",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        String(repeating: "a", count: 1_000_000),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
      ),
    ])
  func examples(text: String, digest: String) { #expect(SHA256.hex(of: Array(text.utf8)) == digest) }

  @Test("does not depend on how the bytes are handed over", arguments: [1, 55, 56, 63, 64, 65, 130])
  func pieces(size: Int) {
    let bytes = (0..<259).map { UInt8(truncatingIfNeeded: $0 * 7) }
    var hash = SHA256()
    for start in stride(from: 0, to: bytes.count, by: size) {
      hash.update(bytes[start..<min(start + size, bytes.count)])
    }
    #expect(hash.finalize() == SHA256.hex(of: bytes))
  }

  @Test("tells texts apart that are the same one after the other")
  func texts() {
    func hash(_ a: String, _ b: String) -> String {
      var hash = SHA256()
      hash.update(a)
      hash.update(b)
      return hash.finalize()
    }
    #expect(hash("ab", "c") != hash("a", "bc"))
  }
}

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
