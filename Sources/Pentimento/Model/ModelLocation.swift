import FoundationEssentials

/// Finds a model where none was named.
///
/// Searched in this order: the path given, `$PENTIMENTO_MODEL`, `../share/pentimento` beside the executable,
/// `Weights/` of the package that the executable was built in.
public enum ModelLocation {
  /// - Returns: the folder of a model; whether it is sound is seen when it is opened.
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

  private static var candidates: [URL] {
    let executable = executableFolder
    var folders = [executable.deletingLastPathComponent().appending(path: "share/pentimento")]
    var folder = executable
    for _ in 0..<5 {
      folder.deleteLastPathComponent()
      if FileManager.default.fileExists(atPath: folder.appending(path: "Package.swift").path) {
        folders.append(folder.appending(path: "Weights/embedded"))
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

  public var description: String {
    switch self {
    case .notFound(let searched):
      "no model was found in \(searched.joined(separator: " or ")): "
        + "name one with --model FOLDER or in PENTIMENTO_MODEL"
    }
  }
}
