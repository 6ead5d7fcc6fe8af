import Editing
import Files
import Foundation
import Pentimento
import Tensors
import Testing
import WeightStorage

private let fixtures = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().appending(path: "../Fixtures").standardizedFileURL

/// A file name that nobody uses, removed with this object.
private final class TemporaryFile {
  let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).inv").path
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Edits of a noisy picture on a random checkpoint of SD 1.5's structure, with few steps.
@Suite("Inversion file") struct InversionFileTests {
  private static let model = Result { try Model(folder: fixtures.appending(path: "sd15/model")) }
  private let editor: Editor

  init() throws { editor = try Editor(model: try Self.model.get(), threads: 2) }

  static let methods = [
    "ddpm-inversion", "ledits", "ledits++", "ddim-inversion", "cycle-diffusion", "cycle-sde", "diffedit",
    "pti",
    "null-text",
  ]

  private func request(_ method: String, _ prompt: String = "a green ball") -> EditRequest {
    var request = EditRequest(try! EditMethod(named: method))
    request.size = .box(Extent(width: 128, height: 64))
    let noise = SeededTape(seed: 5).normal(0, count: 1, height: 64, width: 128, channels: 3)[0]
    request.picture = Picture(signal: noise.tensor)
    request.sourcePrompt = "a red ball"
    request.method!.settings["steps"] = .number(method == "ledits++" ? 3 : 5)
    if ["ledits", "ledits++"].contains(method) {
      request.concepts = [ConceptRequest(prompt)]
    } else {
      request.prompt = prompt
    }
    if ["pti", "null-text"].contains(method) { request.method!.settings["inner-steps"] = .number(2) }
    // What starts from the source prompt is the same for every target.
    if method == "pti" { request.method!.settings["preset"] = .word("source") }
    if method == "diffedit" { request.method!.settings["mask-maps"] = .number(2) }
    return request
  }

  /// The same request with an inversion in place of the picture and of what it was made with.
  private func request(_ method: String, _ prompt: String = "a green ball", with inversion: SavedInversion)
    -> EditRequest
  {
    var request = request(method, prompt)
    request.inversion = inversion
    (request.picture, request.sourcePrompt, request.method!.settings) = (nil, nil, [:])
    (request.size, request.pastesBack) = (nil, false)
    return request
  }

  private func kept(_ method: String = "ddim-inversion") async throws -> EditResult {
    var request = request(method)
    request.keepsInversion = true
    return try await editor.run(request)
  }

  @Test("leads to the same picture as the edit in one go, for its prompt and for another", arguments: methods)
  func samePicture(method: String) async throws {
    let plain = try await editor.run(request(method))
    let first = try await kept(method)
    #expect(
      try first.pixels == plain.pixels && plain.inversion == nil && plain.report.inversion == .discarded)
    #expect(first.report.inversion == .kept)
    #expect(first.report.evaluations == first.report.plannedEvaluations)

    let (file, saved) = (TemporaryFile(), try #require(first.inversion))
    try InversionFile.write(saved, to: file.path)
    let read = try InversionFile.read(file.path)
    #expect(read == saved)

    for prompt in ["a green ball", "a blue cube on snow"] {
      let again = try await editor.run(request(method, prompt, with: read))
      let whole = try await editor.run(request(method, prompt))
      #expect(again.working == whole.working && again.latentMask == whole.latentMask, "\(prompt)")
      #expect(again.report.inversion == .given && again.report.settingsFrom["steps"] == "inversion")
      #expect(again.report.evaluations == again.report.plannedEvaluations)
      #expect(again.report.evaluations < whole.report.evaluations)
    }
  }

  @Test("of a sampled latent says so, and its edits need not")
  func sampledPosterior() async throws {
    var first = request("cycle-sde")
    (first.posteriorChoice, first.keepsInversion) = (.sample, true)
    let made = try await editor.run(first)
    let file = TemporaryFile()
    try InversionFile.write(try #require(made.inversion), to: file.path)
    let saved = try InversionFile.read(file.path)
    #expect(saved.origin.posterior == .sample)
    let again = try await editor.run(request("cycle-sde", with: saved))
    #expect(again.working == made.working)
    // Another latent, and then other noise.
    #expect(try await editor.run(request("cycle-sde")).working != made.working)
  }

  @Test("costs one hash of the model, however often it is used") func oneHash() async throws {
    let editor = try Editor(model: try Self.model.get(), threads: 2)
    var first = request("ddim-inversion")
    first.keepsInversion = true
    let job = try editor.prepare(first)
    #expect(editor.identity.hashes == 0)  // a plan reads no weights
    let saved = try #require(try await job.run().inversion)
    let again = try editor.prepare(request("ddim-inversion", "a cat", with: saved))
    let results = [try await again.run(), try await again.run()]
    #expect(try results[0].pixels == results[1].pixels && editor.identity.hashes == 1)
    // For one that has not kept it too.
    let other = try Editor(model: try Self.model.get(), threads: 2)
    #expect(
      try await other.run(request("ddim-inversion", "a cat", with: saved)).pixels == results[0].pixels)
    #expect(other.identity.hashes == 1)
  }

  @Test("is planned for: a given inversion in every stage, a kept one from the method on")
  func plan() async throws {
    let saved = try #require(try await kept("cycle-sde").inversion)
    func stored(_ request: EditRequest) throws -> [String: Int] {
      let plan = try editor.prepare(request).plan
      // Kept until it is encoded, where there is one, and a mask of where nothing is changed.
      let working = 128 * 64 * 3 + 8 * 16 * 4
      let held = plan.held - (request.picture == nil ? 0 : working)
      return Dictionary(plan.stages.map { ($0.name, $0.stored + held) }, uniquingKeysWith: max)
    }
    var keeping = request("cycle-sde")
    let plain = try stored(keeping)
    keeping.keepsInversion = true
    let kept = try stored(keeping)
    let given = try stored(request("cycle-sde", "a cat", with: saved))
    let (latent, bytes) = (8 * 16 * 4 * 4, saved.inversion.byteCount)
    #expect(bytes == 9 * latent)  // y_0 … y_4 and 4 predictions
    #expect(kept["denoise"]! - plain["denoise"]! == 4 * latent && kept["decode"]! - plain["decode"]! == bytes)
    #expect(given["text"]! - plain["text"]! == bytes && given["decode"]! - plain["decode"]! == bytes)
    #expect(given["denoise"]! - plain["denoise"]! == bytes - 5 * latent && given["encode"] == nil)
  }

  /// What is changed in a request, and what its refusal has to name.
  static let mismatches: [(@Sendable (inout EditRequest) -> Void, String)] = [
    ({ $0.method!.settings["steps"] = .number(7) }, "made with steps 5, 7 is asked for"),
    (
      { $0.method!.settings["source-cfg-scale"] = .number(3) },
      "made with source-cfg-scale 1.0, 3.0 is asked for"
    ),
    ({ $0.method!.settings["strength"] = .number(0.5) }, ""),  // a shorter way is part of the longer one
    ({ $0.sourcePrompt = "a dog" }, "the source prompt \"a red ball\", \"a dog\" is asked for"),
    ({ $0.posteriorChoice = .sample }, "made of the posterior's mean, its sample is asked for"),
    ({ $0.seed = 43 }, "made with seed 42, 43 is asked for"),
    ({ $0.inversion!.origin.model = "0" }, "made with another model (\"model\")"),
    ({ $0.inversion!.origin.generator = "mt19937" }, "the noise generator \"mt19937\""),
    (
      {
        $0.picture = Picture(width: 128, height: 64, pixels: [UInt8](repeating: 9, count: 128 * 64 * 3))
      }, "made from another picture"
    ),
    (
      { $0.size = .box(Extent(width: 256, height: 256)) },
      "made at 128×64 working pixels, 256×128 are asked for"
    ),
    ({ $0.method = .cycleSDE() }, "made by ddim-inversion, not for cycle-sde"),
    (
      { $0.method = .sdedit() },
      "sdedit has no inversion that could be kept or used: use ddpm-inversion, ledits"
    ),
    ({ $0.method = .drag() }, "drag has no inversion"),
    ({ $0.inversion!.inversion.embeddings[2] = HostTensor(shape: [4, 32]) }, "tuned embeddings"),
    ({ $0.inversion!.inversion.states[5] = nil }, "reaches up to level 4"),
    ({ $0.negativePrompt = "blurred" }, ""),  // a source weight of 1 does not read it
  ]

  @Test("is refused for anything that it was not made for, by name", arguments: mismatches.indices)
  func mismatch(index: Int) async throws {
    let (change, words) = Self.mismatches[index]
    var request = request("ddim-inversion", "a cat", with: try #require(try await kept().inversion))
    change(&request)
    guard !words.isEmpty else {
      _ = try await editor.run(request)
      return
    }
    await #expect {
      _ = try await editor.run(request)
    } throws: { error in
      let text = "\(error)"
      return text.contains(words) && text.contains(": ")
    }
  }

  @Test("the negative prompt is part of an inversion that points away from it")
  func negativePrompt() async throws {
    var first = request("ddim-inversion")
    first.method!.settings["source-cfg-scale"] = .number(2)
    (first.negativePrompt, first.keepsInversion) = ("blurred", true)
    let made = try await editor.run(first)
    let saved = try #require(made.inversion)
    var again = request("ddim-inversion", "a green ball", with: saved)
    #expect(try await editor.run(again).pixels == made.pixels)
    again.negativePrompt = "dark"
    await #expect(
      throws: InversionError.differs(.negativePrompt(made: "blurred", asked: "dark"))
    ) { try await editor.run(again) }
  }

  @Test("of DiffEdit has the mask for its prompt, and another is found for another prompt")
  func mask() async throws {
    let saved = try #require(try await kept("diffedit").inversion)
    #expect(saved.inversion.mask != nil)
    let same = try await editor.run(request("diffedit", "a green ball", with: saved))
    let other = try await editor.run(request("diffedit", "a cat", with: saved))
    #expect(other.report.evaluations - same.report.evaluations == 8)  // 2 maps, 2 prompts, 2 evaluations each
  }

  /// What is done to a file, and what the refusal has to say.
  static let damages: [(@Sendable (inout Data) -> Void, String)] = [
    ({ $0 = Data() }, "another kind of file"),
    ({ $0 = Data("a picture".utf8) }, "another kind of file"),
    ({ $0.removeLast(100) }, "is damaged"),
    ({ $0[$0.count - 1000] ^= 1 }, "is damaged"),
    ({ $0.replace("\"seed\":\"42\"", "\"seed\":\"43\"") }, "is damaged"),
    (
      { $0.replace("\"version\":\"2\"", "\"version\":\"1\"") },
      "it is of version 1 and this program reads version 2; invert again"
    ),
    ({ $0.replace("pentimento inversion", "pentimento invention") }, "another kind of file"),
  ]

  @Test("that is damaged is refused by name", arguments: damages.indices)
  func damage(index: Int) async throws {
    let (change, words) = Self.damages[index]
    let (file, saved) = (TemporaryFile(), try #require(try await kept().inversion))
    try InversionFile.write(saved, to: file.path)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file.path))
    change(&bytes)
    try bytes.write(to: URL(fileURLWithPath: file.path))
    #expect {
      try InversionFile.read(file.path)
    } throws: { error in
      let text = "\(error)"
      return text.hasPrefix("\(file.path) cannot be used as an inversion: ") && text.contains(words)
    }
  }

  @Test(
    "with a tensor of another name is refused, whole as it is",
    arguments: ["", ".", "state", "state.-1", "mask.0", "pooled.0", "embedding"])
  func names(name: String) async throws {
    let file = TemporaryFile()
    var metadata = [
      "format": "pentimento inversion", "version": "2", "family": "ddim", "method": "ddim-inversion",
      "model": "m",
      "model-sha256": "0", "picture-sha256": "0", "working-size": "64x64", "seed": "1", "generator": "g",
    ]
    let tensor = StoredTensor([Float(1)], shape: [1])
    var hash = SHA256()
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      hash.update(key)
      hash.update(value)
    }
    hash.update(name)
    hash.update(tensor.bytes)
    metadata["sha256"] = hash.finalize()
    try SafetensorsWriter.write([name: tensor], metadata: metadata, to: file.path)
    #expect {
      try InversionFile.read(file.path)
    } throws: { error in
      "\(error)".contains("it has a tensor \(name), which means nothing here; invert again")
    }
  }

  @Test("keeps a mask, tuned embeddings and their pooled vector, and has no place for anything else")
  func places() async throws {
    let file = TemporaryFile()
    var saved = try #require(try await kept().inversion)
    saved.inversion.embeddings = [3: HostTensor(shape: [2, 3], values: [1, 2, 3, 4, 5, 6])]
    saved.inversion.pooled = HostTensor(shape: [1, 3], values: [7, 8, 9])
    saved.inversion.mask = Mask(height: 8, width: 16, repeating: 0.5)
    saved.origin.original = Extent(width: 127, height: 61)
    saved.origin.sizeOption = "128x64"
    try InversionFile.write(saved, to: file.path)
    #expect(try InversionFile.read(file.path) == saved)
    #expect(throws: InversionError.self) { try InversionFile.write(saved, to: "/nowhere/at/all.inv") }
    #expect(throws: InversionError.self) { try InversionFile.read("/nowhere/at/all.inv") }
  }
}

extension Data {
  fileprivate mutating func replace(_ old: String, _ new: String) {
    precondition(old.utf8.count == new.utf8.count)
    let range = self.range(of: Data(old.utf8))!
    replaceSubrange(range, with: Data(new.utf8))
  }
}
