import Foundation
import Pentimento
import TestSupport
import Testing

@Suite("A model's tokenizer folder") struct TokenizerFolderTests {
  @Test("may hold tokenizer.json alone, and the model is the same") func oneFile() async throws {
    let copy = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: copy) }
    let source = SingleFile.folderURL("sd15")
    try FileManager.default.copyItem(at: source, to: copy)
    let folder = copy.appending(path: "tokenizer")
    let (words, pairs) = (folder.appending(path: "vocab.json"), folder.appending(path: "merges.txt"))
    let merges = try String(contentsOf: pairs, encoding: .utf8).split(separator: "\n")
      .filter { !$0.hasPrefix("#version") }.map(String.init)
    let model: [String: Any] = [
      "type": "BPE", "vocab": try JSONSerialization.jsonObject(with: Data(contentsOf: words)),
      "merges": merges,
    ]
    for file in [words, pairs] { try FileManager.default.removeItem(at: file) }
    #expect(try refusal { try Model(folder: copy) }.contains("lacks tokenizer/vocab.json;"))
    try JSONSerialization.data(withJSONObject: ["model": model])
      .write(to: folder.appending(path: "tokenizer.json"))
    let opened = try Model(folder: copy)
    #expect(try await edit(opened) == edit(Model(folder: source)))
  }
}
