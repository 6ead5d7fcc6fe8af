import FoundationEssentials
import WeightStorage

/// Finds a model where none was named.
///
/// Searched in this order: the path given, `$PENTIMENTO_MODEL`, `../share/pentimento` beside the executable,
/// `Weights/` of the package that the executable was built in.
public enum ModelLocation {
  /// - Returns: the folder or file of a model; whether it is sound is seen when it is opened.
  /// - Throws: `ModelLocationError.notFound`.
  public static func find(_ given: String?) throws -> URL {
    if let given { return URL(fileURLWithPath: given) }
    if let named = ProcessInfo.processInfo.environment["PENTIMENTO_MODEL"], !named.isEmpty {
      return URL(fileURLWithPath: named)
    }
    let candidates = self.candidates
    for folder in candidates where isModel(folder) { return folder }
    throw ModelLocationError.notFound(searched: candidates.map(\.path))
  }

  /// The merges of CLIP's published tokenizer, for models that bring none: `clip/merges.txt` beside the embedded
  /// model.
  ///
  /// - Throws: `ModelLocationError.noVocabulary`.
  static func publishedMerges() throws -> Data {
    let files = sharedFolders.map { $0.appending(path: "clip/merges.txt").path }
    for file in files where FileManager.default.fileExists(atPath: file) {
      return Data(try FileReader.contents(of: file))
    }
    throw ModelLocationError.noVocabulary(searched: files)
  }

  private static var candidates: [URL] {
    zip(sharedFolders, ["", "embedded"]).map { $1.isEmpty ? $0 : $0.appending(path: $1) }
  }

  /// `../share/pentimento` beside the executable, and `Weights` of the package that it was built in.
  private static var sharedFolders: [URL] {
    let executable = executableFolder
    var folders = [executable.deletingLastPathComponent().appending(path: "share/pentimento")]
    var folder = executable
    for _ in 0..<5 {
      folder.deleteLastPathComponent()
      if FileManager.default.fileExists(atPath: folder.appending(path: "Package.swift").path) {
        folders.append(folder.appending(path: "Weights"))
        break
      }
    }
    return folders
  }

  private static var executableFolder: URL {
    let path =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: path).deletingLastPathComponent()
  }

  private static func isModel(_ folder: URL) -> Bool {
    FileManager.default.fileExists(atPath: folder.appending(path: "model_index.json").path)
  }
}

/// No model was named and none lies where models are looked for.
public enum ModelLocationError: Error, Equatable, CustomStringConvertible {
  case notFound(searched: [String])
  /// The tokenizer's vocabulary that comes with the program.
  case noVocabulary(searched: [String])

  public var description: String {
    switch self {
    case .notFound(let searched):
      "no model was found in \(searched.joined(separator: " or ")): "
        + "name one with --model or in PENTIMENTO_MODEL"
    case .noVocabulary(let searched):
      "CLIP's vocabulary was found at neither \(searched.joined(separator: " nor ")), and a single file brings none: "
        + "install Weights/clip with the program"
    }
  }
}
