import Files
import FoundationEssentials
import JSON

/// A model in diffusers layout: `model_index.json` beside one folder per component.
///
///     model_index.json   {"unet": ["diffusers", "UNet2DConditionModel"], "vae": …, "safety_checker": [null, null]}
///     unet/              config.json, diffusion_pytorch_model.safetensors
///     text_encoder/      config.json, model.safetensors
///     tokenizer/         vocab.json, merges.txt, …
///     scheduler/         scheduler_config.json
///
/// Errors name files by their place in the folder (`unet/config.json`).
package struct DiffusersFolder: ModelFiles {
  package let path: String
  /// `model_index.json`.
  package let index: ConfigValue
  /// Components that the index names and that are there, sorted.
  package let components: [String]

  /// - Throws: `file(.missing)` if there is nothing at `path`, `notAModelFolder` if it is something else.
  package init(path: String) throws(WeightFileError) {
    self.path = path
    var isFolder = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw .file(FileReader.isLinkLoop(path) ? .linkLoop(file: path) : .missing(file: path))
    }
    guard isFolder else {
      throw .notAModelFolder(folder: path, reason: "it is a single file", meant: nil)
    }
    guard Self.isModel(path) else {
      throw .notAModelFolder(folder: path, reason: "it has no model_index.json", meant: Self.near(path))
    }
    let label = "model_index.json"
    let bytes = try WeightFileError.ofFile { () throws(FileError) in
      try FileReader.contents(of: "\(path)/\(label)", label: label)
    }
    let index = try configuration { () throws(ConfigurationError) in
      try ConfigValue(parsing: bytes, file: label)
    }
    self.index = index
    components = index.keys.filter { key in
      (try? index[key].strings())?.count == 2
        && FileManager.default.fileExists(atPath: "\(path)/\(key)", isDirectory: &isFolder)
        && isFolder
    }.sorted()
  }

  private static func isModel(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(path)/model_index.json")
  }

  /// What is perhaps meant by a folder that is no model: one around it, one below it (a hub's cache keeps models in
  /// `snapshots/COMMIT`), or the one file of tensors in it.
  private static func near(_ path: String) -> String? {
    func names(_ folder: String) -> [String] { (try? FileReader.names(in: folder)) ?? [] }
    let here = names(path)
    let below = here.map { "\(path)/\($0)" } + names("\(path)/snapshots").map { "\(path)/snapshots/\($0)" }
    let around = path.lastIndex(of: "/").map { String(path[..<$0]) }
    if let model = ([around].compactMap { $0 } + below).first(where: isModel) { return model }
    let files = here.filter { name in [".safetensors", ".gguf"].contains(where: name.hasSuffix) }
    return files.count == 1 ? "\(path)/\(files[0])" : nil
  }

  package func has(_ component: String) -> Bool { components.contains(component) }

  /// Class of a component, `UNet2DConditionModel`.
  package func className(of component: String) throws(ConfigurationError) -> String {
    let pair = try index[component].strings()
    guard pair.count == 2 else { throw index[component].wrong("library and class") }
    return pair[1]
  }

  /// Any small file of the folder as it is, `tokenizer/merges.txt`.
  ///
  /// - Throws: `lacksFile`, or `otherPipeline` where there is no noise network because the model has another kind.
  package func data(_ name: String) throws(WeightFileError) -> Data {
    do throws(FileError) {
      return Data(try FileReader.contents(of: "\(path)/\(name)", label: name))
    } catch .missing {
      if name.hasPrefix("unet/"), !index.keys.contains("unet"), let pipeline = try? index["_class_name"].string() {
        throw .otherPipeline(folder: path, pipeline: pipeline)
      }
      throw .lacksFile(folder: path, file: name)
    } catch {
      throw .file(error)
    }
  }

  package func contains(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }

  /// The weights of a component, validated.
  package func weights(of component: String) throws(WeightFileError) -> Checkpoint {
    try Checkpoint(folder: "\(path)/\(component)", label: component)
  }
}
