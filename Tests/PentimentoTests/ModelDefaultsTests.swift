import Editing
import Foundation
import JSON
import Pentimento
import Tensors
import Testing
import WeightStorage

/// A model folder with nothing but an index and a `pentimento.json`.
private final class Folder {
  let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

  init(_ json: String) throws {
    try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
    try Data("{}".utf8).write(to: path.appending(path: "model_index.json"))
    try Data(json.utf8).write(to: path.appending(path: "pentimento.json"))
  }

  deinit { try? FileManager.default.removeItem(at: path) }

  func defaults() throws -> ModelDefaults { try ModelDefaults(DiffusersFolder(path: path.path)) }
}

@Suite("Model defaults") struct ModelDefaultsTests {
  @Test("hold for every method, and for one method before that")
  func precedence() throws {
    let defaults = try Folder(
      """
      {"defaults": {"cfg-scale": 3, "sampler": "ode"},
       "methods": {"dds": {"cfg-scale": 2.5, "steps": 100, "official-last-step": true}}}
      """
    ).defaults()
    #expect(defaults.settings(for: "sdedit") == ["cfg-scale": .number(3), "sampler": .word("ode")])
    #expect(
      defaults.settings(for: "dds") == [
        "cfg-scale": .number(2.5), "sampler": .word("ode"), "steps": .number(100),
        "official-last-step": .flag(true),
      ])
  }

  @Test(
    "are refused by the key that is unknown or wrong",
    arguments: [
      (#"{"default": {}}"#, "default"),
      (#"{"defaults": {"cfg": 3}}"#, "defaults.cfg"),
      (#"{"defaults": {"cfg-scale": [3]}}"#, "defaults.cfg-scale"),
      (#"{"methods": {"ddt": {}}}"#, "methods.ddt"),
      (#"{"methods": {"dds": {"stepz": 3}}}"#, "methods.dds.stepz"),
    ])
  func refused(json: String, key: String) throws {
    let folder = try Folder(json)
    do {
      _ = try folder.defaults()
      Issue.record("\(json) was accepted")
    } catch ConfigurationError.wrongValue(let file, let wrong, _, _) {
      #expect(file == "pentimento.json" && wrong == key)
    }
  }

  @Test("of the embedded model are settings that each of their methods takes")
  func embedded() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Weights/embedded").standardizedFileURL
    let model = try Model(folder: folder)
    let everywhere = model.defaults.settings(for: "generate")
    #expect(everywhere["cfg-scale"] == .number(3))
    for type in EditMethods.all where !type.about.needs.contains(.translator) {
      // As if a caller had given them: what a method does not take is refused.
      let own = model.defaults.settings(for: type.about.name).filter { $0.value != everywhere[$0.key] }
      var request = EditRequest(EditMethod(type, settings: own))
      let needs = type.about.needs
      if needs.contains(.image) {
        request.picture = Picture(width: 256, height: 256, pixels: [UInt8](repeating: 9, count: 196_608))
      }
      if needs.contains(.targetPrompt) { request.prompt = "a ball" }
      if needs.contains(.sourcePrompt) { request.sourcePrompt = "a cube" }
      if needs.contains(.concepts) { request.concepts = [.init("snow")] }
      if needs.contains(.mask) {
        request.mask = MaskPicture(width: 32, height: 32, pixels: [UInt8](repeating: 255, count: 1024))
      }
      if needs.contains(.points) {
        request.moves = [.init(from: .init(x: 80, y: 80), to: .init(x: 160, y: 80))]
      }
      #expect(throws: Never.self, "\(type.about.name)") {
        try Editor(model: model, threads: 1).prepare(request)
      }
    }
  }
}
