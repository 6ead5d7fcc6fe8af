import Files
import FoundationEssentials
import WeightStorage

/// One network of a model out of a file or folder that it does not share with the others, or that holds others too.
struct NetworkFile: Sendable {
  let weights: Checkpoint
  /// `config.json`, and what errors call it.
  let configuration: Data
  let configurationLabel: String
  /// A folder or container of a whole model, which brings a text encoder's tokenizer.
  let model: (any ModelFiles)?

  /// - Parameters:
  ///   - path: a folder of a whole model or of this network, or a file of tensors of either.
  ///   - given: a folder whose configuration holds where the file brings none.
  ///   - described: the model that the network is for; it says what names and shapes leave open.
  /// - Throws: `noSuchNetwork`, or what is wrong with the file.
  init(
    _ component: String, at path: String, configuration given: DiffusersFolder?,
    for described: ModelDescription
  ) throws(WeightFileError) {
    var isFolder = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw .file(.missing(file: path))
    }
    if isFolder, FileManager.default.fileExists(atPath: "\(path)/model_index.json") {
      let folder = try DiffusersFolder(path: path)
      guard folder.has(component) else { throw .noSuchNetwork(file: path, network: component) }
      weights = try Checkpoint(folder: "\(path)/\(component)")
      configuration = try folder.data("\(component)/config.json")
      configurationLabel = "\(path)/\(component)/config.json"
      model = folder
      return
    }
    if !isFolder, let container = try ContainerModel(at: path) {
      guard container.has(component) else { throw .noSuchNetwork(file: path, network: component) }
      let name = "\(component)/config.json"
      weights = container.weights(of: component)
      (configuration, configurationLabel) = (try container.data(name), container.label(name))
      model = container
      return
    }
    model = nil
    if component == "vae", !isFolder, let tiny = try TinyAutoencoderFile(at: path) {
      (weights, configuration, configurationLabel) = (tiny.weights, tiny.configuration, path)
      return
    }
    weights =
      try isFolder ? Checkpoint(folder: path) : Self.tensors(of: component, in: path, described.family)
    let file = "\(path)/config.json"
    if isFolder, FileManager.default.fileExists(atPath: file) {
      configuration = try WeightFileError.ofFile { () throws(FileError) in
        Data(try FileReader.contents(of: file))
      }
      configurationLabel = file
    } else if let given, given.contains("\(component)/config.json") {
      configuration = try given.data("\(component)/config.json")
      configurationLabel = "\(given.path)/\(component)/config.json"
    } else {
      (configuration, configurationLabel) = (try described.configuration(of: component, weights), path)
    }
  }

  private static func tensors(
    of component: String, in path: String, _ family: Family
  ) throws(WeightFileError) -> Checkpoint {
    let file = try openTensorFile(path: path)
    let names = NameTree(file.tensors.map(\.name))
    guard let place = Place.of(component, in: names.leaves) else {
      throw .noSuchNetwork(file: path, network: component)
    }
    var table = KeyTable(names: names, family: family)
    table.add(component, at: place)
    let tensors = try TranslatedTensors.all(of: file, table, below: place.prefix)
    return tensors[component, default: TranslatedTensors()].checkpoint(of: component, in: file, table)
  }

  /// Its small file of a model's name: `vae/config.json`, `tokenizer/vocab.json`; nil where it has none.
  func data(_ name: String, of component: String) throws(WeightFileError) -> Data? {
    if name == "\(component)/config.json" { return configuration }
    return try contains(name, of: component) ? model?.data(name) : nil
  }

  func contains(_ name: String, of component: String) -> Bool {
    name == "\(component)/config.json" || model?.contains(name) == true
  }

  func label(_ name: String, of component: String) -> String {
    name == "\(component)/config.json" ? configurationLabel : "\(model?.path ?? "")/\(name)"
  }
}
