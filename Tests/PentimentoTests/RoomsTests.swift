import Foundation
import Testing

/// The package's modules and what each may import: every arrow points down.
private let rooms: [String: Set<String>] = [
  "Platform": ["CPlatform"],
  "Tensors": [],
  "Kernels": ["CKernels", "Tensors", "Platform"],
  "NeuralGraph": ["Kernels", "Tensors"],
  "OperatorCases": ["NeuralGraph", "Kernels", "Tensors"],
  "JSON": [],
  "Files": ["CKernels", "Platform"],
  "WeightStorage": ["Files", "JSON", "CKernels", "Tensors", "Platform"],
  "Runtime": ["NeuralGraph", "WeightStorage", "Kernels", "Tensors", "Platform"],
  "StableDiffusion": ["NeuralGraph", "JSON", "Tensors", "Platform"],
  "Packing": ["StableDiffusion", "NeuralGraph", "Kernels", "WeightStorage", "Files", "JSON", "Tensors"],
  "Editing": ["Tensors", "JSON"],
  "Pictures": ["Tensors", "Platform"],
  "ImageFiles": ["Pictures", "Files", "Tensors", "CPNG", "CJPEG", "Platform"],
  "Pentimento": [
    "Runtime", "StableDiffusion", "Editing", "Packing", "WeightStorage", "NeuralGraph", "Kernels",
    "ImageFiles",
    "Pictures", "Files", "JSON", "Tensors", "Platform",
  ],
  "Batch": ["Pentimento", "Files", "JSON", "Platform"],
  "Trace": [
    "Pentimento", "Editing", "StableDiffusion", "Packing", "WeightStorage", "Files", "JSON", "Tensors",
  ],
  "Evaluation": ["Pentimento", "ImageFiles", "Pictures", "Editing", "JSON", "Tensors", "Platform"],
  "Fuzzing": [
    "Pentimento", "Packing", "StableDiffusion", "Editing", "WeightStorage", "NeuralGraph", "ImageFiles",
    "Files",
    "JSON", "Tensors", "Platform",
  ],
  "PentimentoBench": [
    "OperatorCases", "NeuralGraph", "Runtime", "StableDiffusion", "Packing", "WeightStorage", "Evaluation",
    "Fuzzing",
    "ImageFiles", "Pentimento", "Kernels", "CKernels", "CPeak", "Tensors", "Platform",
  ],
  "PentimentoCLI": [
    "Pentimento", "Batch", "Trace", "OperatorCases", "ImageFiles", "Pictures", "Packing", "WeightStorage", "Kernels",
    "Editing", "Files",
    "JSON", "Tensors", "Platform", "ArgumentParser",
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
    "of C include nothing but their own headers, the C library and libpng",
    arguments: ["CPlatform", "CKernels", "CPeak", "CPNG", "CJPEG"])
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
