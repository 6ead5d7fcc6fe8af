import Editing
import Foundation
import Pentimento
import Tensors
import TestSupport
import Testing
import Trace
import WeightStorage

/// What it takes to add a method: this, and a line in the list. It goes a part of the way to what the network sees.
private struct Drift: EditingMethod {
  var steps = 4
  var pace = 0.5

  static let about = MethodSummary(
    name: "drift", summary: "Moves the photo along the prompt's noise.", paper: "Nobody 2026, a test",
    needs: [.image, .targetPrompt], evaluations: "steps = 4")
  static let parameters: [Parameter<Drift>] = [
    Parameter("steps", \.steps, .steps, "network steps").inCases("steps"),
    Parameter("pace", \.pace, .unit, "part of the noise that is taken").inCases("p"),
  ]
  static var caseKinds: [String: Self] { ["drift": Self()] }

  func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
  }
  func evaluations(_ outline: EditOutline) -> Int { steps }
  func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int { 0 }

  func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    var z = inputs.source!
    let grid = try context.diffusion.schedule.samplingGrid(steps: steps)
    for level in 1...steps {
      let query = NoiseQuery(z, timestep: grid.timestep(level), inputs.targetCondition!)
      z = .combination([(1, z), (-pace, try await context.diffusion.unet.noise([query])[0])])
      context.observer("traj", z)
    }
    context.observer("out", z)
    return z
  }
}

@Suite("One more method") struct OneMoreMethodTests {
  private static let methods = EditMethods.all + [Drift.self]
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../Fixtures/sd15").standardizedFileURL
  private static let model = Result { try Model(folder: folder.appending(path: "model")) }

  @Test("is listed and explained from its table") func listing() throws {
    #expect(Self.methods.names.last == "drift" && Self.methods.options.contains("pace"))
    let text = Drift.explanation(model: ["pace": .number(0.25)])
    #expect(
      text.contains("--pace") && text.contains("0.5") && text.contains("0.25") && text.contains("(0 to 1)"))
  }

  @Test("takes its settings by name, checked, and a model's defaults") func settings() throws {
    let method = try EditMethod(named: "drift", settings: ["pace": .number(1)], among: Self.methods)
    #expect(try (method.configured().method as? Drift)?.pace == 1)
    #expect(throws: SettingError.value(setting: "pace", value: "\"fast\"", allowed: "a number")) {
      try EditMethod(Drift.self, settings: ["pace": .word("fast")]).configured()
    }
    #expect(throws: RequestError.self) { try EditMethod(named: "drift") }
    #expect {
      try Editor(model: Self.model.get(), threads: 1).prepare(request(["pace": .number(2)]))
    } throws: {
      "\($0)" == "pace 2.0 of drift is not allowed: give 0 to 1"
    }
    let json = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: json, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: json) }
    try Data("{}".utf8).write(to: json.appending(path: "model_index.json"))
    try Data(#"{"methods": {"drift": {"pace": 0.25}}}"#.utf8).write(
      to: json.appending(path: "pentimento.json"))
    let defaults = try ModelDefaults(DiffusersFolder(path: json.path), methods: Self.methods)
    #expect(defaults.settings(for: "drift") == ["pace": .number(0.25)])
  }

  private func request(_ settings: MethodSettings) -> EditRequest {
    var request = EditRequest(EditMethod(Drift.self, settings: settings))
    request.size = .box(Extent(width: 64, height: 64))
    request.picture = Picture(width: 64, height: 64, pixels: (0..<64 * 64 * 3).map { UInt8($0 * 7 % 251) })
    request.prompt = "a cat"
    return request
  }

  @Test("is planned, run and reported") func run() async throws {
    let editor = try Editor(model: try Self.model.get(), threads: 2)
    _ = try editor.prepare(request([:]))
    let result = try await editor.run(request(["steps": .number(3)]))
    #expect(result.report.method == "drift" && result.report.evaluations == 3)
    #expect(result.report.parameters == ["steps": .one(.number(3)), "pace": .one(.number(0.5))])
    #expect(result.report.settingsFrom == ["steps": "caller"])
  }

  @Test("is traced, and what its cases cannot say is refused by name") func traces() async throws {
    let place = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: place) }
    func write(_ params: String) throws -> TraceCase {
      let json = """
        {"kind": "drift", "model": "\(Self.folder.path)/model", "image_size": [64, 64], "tape": [],
         "prompts": {"target": "a cat"}, "params": \(params)}
        """
      try Data(json.utf8).write(to: place.appending(path: "case.json"))
      return try TraceCase(folder: place)
    }
    let photo = StoredTensor((0..<256).map { Float($0 % 17) / 17 }, shape: [1, 4, 8, 8])
    try SafetensorsWriter.write(["x0": photo], to: place.appending(path: "inputs.safetensors").path)

    let results = try await write(#"{"steps": 2, "p": 0.25}"#).run(
      Self.model.get(), threads: 2, methods: Self.methods)
    let path = place.appending(path: "out.safetensors").path
    try results.write(to: path)
    let file = try SafetensorsFile(path: path)
    #expect(try file.tensor("traj").shape == [2, 4, 8, 8] && results.evaluations == 2)
    #expect(try file.floats("out") == Array(file.floats("traj").suffix(256)))

    func refused(_ params: String, as words: String, methods: [any EditingMethod.Type] = Self.methods) async {
      await #expect {
        _ = try await write(params).run(Self.model.get(), threads: 1, methods: methods)
      } throws: {
        "\($0)".contains(words)
      }
    }
    await refused(#"{"steps": 2}"#, as: "params.p")
    await refused(#"{"steps": 2.5, "p": 1}"#, as: "params.steps")
    await refused(#"{"steps": 2, "p": 1, "posterior": "sample"}"#, as: "sets \"posterior\"")
    await refused(
      #"{"steps": 2, "p": 1, "scheduler": {"clip_sample": true}}"#, as: "replaces the scheduler's clip_sample"
    )
    await refused(#"{"steps": 2, "p": 1}"#, as: "cases of kind \"drift\"", methods: EditMethods.all)
  }

  @Test("a case's scheduler entries take the place of the model's") func scheduler() async throws {
    let place = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    let fixture = Self.folder.appending(path: "m_generate_ode")
    defer { try? FileManager.default.removeItem(at: place) }
    try FileManager.default.copyItem(at: fixture, to: place)
    let file = place.appending(path: "case.json")
    var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    json["model"] = Self.folder.appending(path: "model").path
    var params = try #require(json["params"] as? [String: Any])
    params["scheduler"] = ["timestep_spacing": "trailing"]
    json["params"] = params
    try JSONSerialization.data(withJSONObject: json).write(to: file)
    let trace = try TraceCase(folder: place)
    let (model, schedule) = (try Self.model.get(), try trace.noiseSchedule(of: Self.model.get()))
    #expect(schedule.spacing == .trailing && schedule.prediction == model.schedule.prediction)
    // Other times, so other numbers than the case expects.
    let path = place.appending(path: "out.safetensors").path
    try await trace.run(Self.model.get(), threads: 2).write(to: path)
    #expect(try !ParityCase(folder: place).differences(in: SafetensorsFile(path: path)).isEmpty)
  }
}
