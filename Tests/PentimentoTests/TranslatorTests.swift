import Editing
import Foundation
import Kernels
import Pentimento
import StableDiffusion
import Tensors
import TestSupport
import Testing

@Suite("Translation network") struct TranslatorTests {
  private let folder = FileManager.default.temporaryDirectory
    .appending(path: "pentimento-translator-\(UUID().uuidString)")
  private var path: String { folder.appending(path: "t.safetensors").path }
  private let tasks = [
    Translator.Task(source: "a cat", target: "a dog"), .init(source: "a cat", target: "A red  cat"),
    .init(source: "", target: "7"),
  ]

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  private func model() throws -> Model {
    try Model(
      folder: URL(fileURLWithPath: #filePath).appending(path: "../../Fixtures/sd15/model").standardizedFileURL
    )
  }

  private var configuration: TranslationConfiguration {
    var configuration = TranslationConfiguration(tasks: tasks.count)
    (configuration.width, configuration.blocks, configuration.embedding) = (16, 2, 8)
    return configuration
  }

  private func latent(_ seed: UInt64, _ height: Int, _ width: Int) throws -> Latent {
    let tape: any NoiseTape = SeededTape(seed: seed)
    return try tape.normal(0, count: 1, height: height, width: width, channels: 4)[0]
  }

  /// Numbers of which no layer is zero.
  private func values(_ translator: TrainingTranslator) throws -> [String: HostTensor] {
    let tape: any NoiseTape = SeededTape(seed: 5)
    return try Dictionary(
      uniqueKeysWithValues: translator.parameters.enumerated().map { i, parameter in
        let count = parameter.shape.reduce(1, *)
        let noise = try tape.normal(i, count: 1, height: 1, width: count, channels: 1)[0].values
        let isScale = parameter.name.contains("gn_") && parameter.name.hasSuffix("weight")
        return (
          parameter.name,
          HostTensor(shape: parameter.shape, values: noise.map { (isScale ? 1 : 0) + 0.2 * $0 })
        )
      })
  }

  private func training(_ height: Int, _ width: Int) throws -> TrainingTranslator {
    try TrainingTranslator(
      configuration, of: model(), height: height, width: width, threads: 2)
  }

  @Test("that is untrained gives every latent back bit for bit") func identity() async throws {
    let translator = try training(6, 9)
    try await translator.update(
      configuration.initialValues(translator.parameters, tape: SeededTape(seed: 1)))
    for task in tasks.indices {
      let z = try latent(UInt64(task), 6, 9)
      #expect(try await translator.translate(z, task: task) == z)
    }
  }

  @Test("from its file computes what it computed while it was trained, at any size")
  func fromItsFile() async throws {
    let values = try values(training(8, 8))
    try TranslatorFile.write(values, configuration, tasks, of: model(), to: path)
    let opened = try Translator(path: path)
    #expect(opened.tasks == tasks)
    for (height, width) in [(8, 8), (9, 16), (1, 5)] {
      let trained = try training(height, width)
      await trained.update(values)
      let z = try latent(3, height, width)
      for task in tasks.indices {
        let out = try await opened.translate(z, task: task, of: model(), threads: 1)
        #expect(try await trained.translate(z, task: task) == out)
        #expect(out != z)
      }
    }
  }

  @Test("has the gradient along any direction that a small step along it shows") func gradient() async throws
  {
    let translator = try training(6, 5)
    let values = try values(translator)
    let (z, seed) = (try latent(1, 6, 5), try latent(2, 6, 5))
    func loss(_ step: Double, _ direction: [String: HostTensor]) async throws -> Double {
      await translator.update(
        values.mapValues { $0 }.merging(direction) { value, move in
          HostTensor(
            shape: value.shape,
            values: zip(value.values, move.values).map { Float(Double($0) + step * Double($1)) })
        })
      return zip(try await translator.translate(z, task: 1).values, seed.values)
        .reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    await translator.update(values)
    let gradients = try await translator.gradients(z, task: 1, seed: seed)
    #expect(Set(gradients.keys) == Set(values.keys))
    for (name, gradient) in gradients {
      #expect(gradient.shape == values[name]!.shape)
      // Along the gradient of one tensor: the difference is the square of its length.
      let square = gradient.values.reduce(0) { $0 + Double($1) * Double($1) }
      let step = 1e-2 / square.squareRoot()
      let rise = try await (loss(step, [name: gradient]) - loss(-step, [name: gradient])) / (2 * step)
      // Central differences over a hundredth, of a loss of some hundred Float additions.
      #expect((rise - square).magnitude < 2e-2 * square, "\(name): \(rise), expected \(square)")
    }
    let rows = gradients["task.weight"]!.values
    #expect(rows[0..<8].allSatisfy { $0 == 0 } && rows[16...].allSatisfy { $0 == 0 })
    #expect(rows[8..<16].contains { $0 != 0 })
  }

  @Test("has its task by number, by target and by both prompts; others are refused with the list")
  func task() throws {
    try TranslatorFile.write(values(training(8, 8)), configuration, tasks, of: model(), to: path)
    let translator = try Translator(path: path)
    for (words, place) in [
      ("1", 0), ("a dog", 0), ("A DOG", 0), ("a red cat", 1), ("\"a cat\" → \"a dog\"", 0), ("3", 2),
    ] {
      #expect(try translator.task(words) == place, "\(words)")
    }
    for words in ["0", "4", "a cat", "", nil] {
      #expect(throws: TranslatorError.unknownTask(words, tasks: tasks, file: path)) {
        _ = try translator.task(words)
      }
    }
    let sentence = TranslatorError.unknownTask("a cow", tasks: tasks, file: "t").description
    #expect(sentence.contains("2 \"a cat\" → \"A red  cat\""))
  }

  @Test("in a file with a byte that is not what was written is refused") func damaged() throws {
    try TranslatorFile.write(values(training(8, 8)), configuration, tasks, of: model(), to: path)
    let sound = try Data(contentsOf: URL(fileURLWithPath: path))
    var places = Array(stride(from: 8, to: sound.count, by: 997))
    places += Array(stride(from: 8, to: 1200, by: 11)) + [sound.count - 1]
    for place in places {
      var bytes = sound
      bytes[place] ^= 0x20
      try bytes.write(to: URL(fileURLWithPath: path))
      var message = ""
      do { _ = try Translator(path: path) } catch { message = "\(error)" }
      #expect(message.hasPrefix("\(path) cannot be used as a translator: "), "byte \(place): \(message)")
    }
    try sound.dropLast(5).write(to: URL(fileURLWithPath: path))
    #expect(throws: TranslatorError.self) { _ = try Translator(path: path) }
  }
}
