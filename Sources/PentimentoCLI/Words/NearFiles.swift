import FoundationEssentials

/// Files that are perhaps meant by the name of one that does not exist.
enum NearFiles {
  /// Options that name what is written.
  private static let written: Set = [
    "output", "out", "save-mask", "save-inversion", "plot", "preview", "checkpoint", "lora-cache",
  ]
  /// Of a folder's names so many are looked at.
  private static let most = 10_000

  /// "; did you mean photo.png?" for a sentence on a file of the command that is not there, else nothing.
  ///
  /// - Parameters:
  ///   - sentence: says the file's path.
  ///   - words: of the whole call.
  static func advice(on sentence: String, _ words: [String], table: CommandTable = .shared) -> String {
    // Of a file that could not be written, or read, no other is meant.
    guard ["no such file", "does not exist"].contains(where: sentence.contains),
      let command = words.first.flatMap({ table[$0] })
    else { return "" }
    let given = GivenWords(Array(words.dropFirst()), of: command)
    let named = given.words.compactMap { word -> String? in
      switch word {
      case .option(let option, _, let value): written.contains(option.name) ? nil : value
      case .argument(let path): path
      case .unknown: nil
      }
    }
    for path in named where !path.isEmpty && sentence.contains(path) && !sentence.contains("did you mean") {
      let near = near(path)
      if !near.isEmpty { return "; did you mean \(near.alternatives)?" }
      if isElsewhere(path) { return "; nothing is downloaded here: fetch it first, and name the file or folder" }
    }
    return ""
  }

  /// An address, or the name that a model has on a hub (`owner/name`) where no folder is called after the owner.
  private static func isElsewhere(_ path: String) -> Bool {
    if path.hasPrefix("http:") || path.hasPrefix("https:") { return true }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let owner = parts.first, let first = owner.first, first.isLetter || first.isNumber
    else { return false }
    let fileEnds = ["safetensors", "gguf", "ckpt", "png", "jpg", "jpeg", "ppm", "json"]
    return !fileEnds.contains { path.hasSuffix(".\($0)") }
      && !FileManager.default.fileExists(atPath: String(owner))
  }

  /// Paths of files in the same folder that are called nearly so, at most three; none where there is such a file or no such
  /// folder.
  static func near(_ path: String) -> [String] {
    let manager = FileManager.default
    guard !path.contains("\0"), !manager.fileExists(atPath: path) else { return [] }
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let folder = String(path.dropLast(name.count))
    guard path.hasSuffix(name),
      let names = try? manager.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)
    else { return [] }
    return names.prefix(most).sorted().near(name).map { folder + $0 }
  }
}
