import Foundation
import Testing

/// The package's modules and what each may import: every arrow points down.
private let rooms: [String: Set<String>] = [
  "Platform": [],
  "Tensors": [],
  "Kernels": ["CKernels", "Tensors", "Platform"],
  "NeuralGraph": ["Kernels", "Tensors"],
  "WeightStorage": ["CKernels", "Tensors", "Platform"],
  "Runtime": ["NeuralGraph", "WeightStorage", "Kernels", "Tensors", "Platform"],
  "StableDiffusion": ["NeuralGraph", "Tensors"],
  "Packing": ["NeuralGraph", "Kernels", "WeightStorage", "Tensors"],
  "Editing": ["Tensors"],
  "ImageFiles": ["Tensors", "CPNG", "Platform"],
  "Pentimento": [
    "Runtime", "StableDiffusion", "Editing", "Packing", "WeightStorage", "NeuralGraph", "Kernels", "Tensors",
    "Platform",
  ],
  "Evaluation": ["Pentimento", "ImageFiles", "Editing", "Tensors", "Platform"],
  "Fuzzing": [
    "Pentimento", "Packing", "StableDiffusion", "Editing", "WeightStorage", "NeuralGraph", "Tensors",
  ],
  "PentimentoBench": ["Evaluation", "Fuzzing", "Pentimento", "Kernels", "CKernels", "Tensors"],
  "PentimentoCLI": [
    "Pentimento", "ImageFiles", "Packing", "Kernels", "Editing", "Tensors", "Platform", "ArgumentParser",
  ],
]

@Suite("Rooms") struct RoomsTests {
  private static let sources = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../../Sources").standardizedFileURL

  @Test("import only what their arrows allow", arguments: rooms.keys.sorted())
  func arrows(room: String) throws {
    let outside: Set = ["Glibc", "Musl", "Darwin", "Dispatch", "FoundationEssentials", "Synchronization"]
    let files = try #require(
      FileManager.default.enumerator(
        at: Self.sources.appending(path: room), includingPropertiesForKeys: nil))
    var read = 0
    for case let file as URL in files where file.pathExtension == "swift" {
      read += 1
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        let words = line.split(separator: " ")
        guard let at = words.firstIndex(of: "import"), at <= 1, at + 1 < words.count,
          at == 0 || ["package", "public", "@_exported", "private", "internal"].contains(words[0])
        else { continue }
        let module = String(words[at + 1])
        #expect(
          rooms[room]!.contains(module) || outside.contains(module),
          "\(file.lastPathComponent) imports \(module)")
      }
    }
    #expect(read > 0, "no sources in \(room)")
  }

  @Test(
    "of C include nothing but their own headers, the C library and libpng", arguments: ["CKernels", "CPNG"])
  func leaves(room: String) throws {
    let files = try #require(
      FileManager.default.enumerator(
        at: Self.sources.appending(path: room), includingPropertiesForKeys: nil))
    let folder = Self.sources.appending(path: room)
    for case let file as URL in files where ["c", "h"].contains(file.pathExtension) {
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      where line.hasPrefix("#include \"") {
        let name = String(line.dropFirst(10).prefix { $0 != "\"" })
        let own =
          FileManager.default.fileExists(atPath: folder.appending(path: name).path)
          || FileManager.default.fileExists(atPath: folder.appending(path: "include/" + name).path)
        #expect(own, "\(file.lastPathComponent) includes \(name)")
      }
    }
  }
}
