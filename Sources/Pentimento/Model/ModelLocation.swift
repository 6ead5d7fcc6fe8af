import Files
import FoundationEssentials
import Platform
import WeightStorage

/// Finds a model where none was named.
///
/// Searched in this order:
/// 1. the path given, then `$PENTIMENTO_MODEL`;
/// 2. `../share/pentimento/embedded` beside the executable, where the program or an application of the library is installed;
/// 3. `Weights/` of this package, if the executable was built in it, in a package below it, or in one that
///    depends on it by address (SwiftPM keeps a copy in `.build/checkouts`).
///
/// An application of the library that lies nowhere of these, or one that depends on a copy of this package elsewhere on
/// the disk, names the model's folder: `Model(at:)`.
public enum ModelLocation {
  /// - Returns: the folder or file of a model; whether it is sound is seen when it is opened.
  /// - Throws: `ModelLocationError.notFound`.
  public static func find(_ given: String?) throws -> URL {
    if let given { return URL(fileURLWithPath: given) }
    if let named = ProcessInfo.processInfo.environment["PENTIMENTO_MODEL"], !named.isEmpty {
      return URL(fileURLWithPath: named)
    }
    if let embedded { return embedded }
    throw ModelLocationError.notFound(searched: embeddedPaths)
  }

  /// The model that comes with the program, whatever `PENTIMENTO_MODEL` says; nil where it is not there.
  public static var embedded: URL? {
    places(around: executable).map(\.model).first { exists($0, "model_index.json") }
  }

  /// Where it is looked for.
  public static var embeddedPaths: [String] { places(around: executable).map(\.model.path) }

  /// Whether the vocabulary is there that models without one of their own take.
  public static var hasPublishedVocabulary: Bool {
    publishedMergesPaths.contains { FileManager.default.fileExists(atPath: $0) }
  }

  /// The merges of CLIP's published tokenizer, for models that bring none: `clip/merges.txt` beside the embedded
  /// model.
  ///
  /// - Throws: `ModelLocationError.noVocabulary`.
  static func publishedMerges() throws -> Data {
    let files = publishedMergesPaths
    for file in files where FileManager.default.fileExists(atPath: file) {
      return Data(try FileReader.contents(of: file))
    }
    throw ModelLocationError.noVocabulary(searched: files)
  }

  /// Where those merges are looked for.
  package static var publishedMergesPaths: [String] {
    places(around: executable).map { $0.shared.appending(path: "clip/merges.txt").path }
  }

  /// Folders that may hold the embedded model and the vocabulary, for an executable.
  package static func places(around executable: URL) -> [(shared: URL, model: URL)] {
    var folder = executable.deletingLastPathComponent()
    let installed = folder.deletingLastPathComponent().appending(path: "share/pentimento")
    var places = [(shared: installed, model: installed.appending(path: "embedded"))]
    while folder.path != "/", !folder.path.isEmpty {
      folder.deleteLastPathComponent()
      for package in [folder] + checkouts(in: folder) where isThisPackage(package) {
        let weights = package.appending(path: "Weights")
        places.append((shared: weights, model: weights.appending(path: "embedded")))
      }
    }
    return places
  }

  /// Packages that a build in `folder` depends on.
  private static func checkouts(in folder: URL) -> [URL] {
    let folder = folder.appending(path: "checkouts")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().map { folder.appending(path: $0) }
  }

  /// Another package may have a folder of that name.
  private static func isThisPackage(_ folder: URL) -> Bool {
    exists(folder, "Package.swift") && exists(folder, "Sources/Pentimento") && exists(folder, "Weights")
  }

  private static var executable: URL {
    URL(
      fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        ?? Platform.arguments.first ?? "")
  }

  private static func exists(_ folder: URL, _ name: String) -> Bool {
    FileManager.default.fileExists(atPath: folder.appending(path: name).path)
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
        + "name one, or set PENTIMENTO_MODEL"
    case .noVocabulary(let searched):
      "CLIP's vocabulary was found at neither \(searched.joined(separator: " nor ")), and a single file brings none: "
        + "install Weights/clip with the program"
    }
  }
}
