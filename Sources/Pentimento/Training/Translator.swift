import Editing
import Kernels
import NeuralGraph
import Platform
import Runtime
import StableDiffusion
import Tensors
import WeightStorage

/// A trained translation network in a file (`TranslatorFile`): what it translates between, and whose latents it knows.
public struct Translator: Sendable {
  /// As the caller calls it.
  public let path: String
  /// Pairs of prompts, in the training's order.
  public let tasks: [Task]
  /// What people call models of the kind that it was trained with, and the scale of their latents.
  public let family: String
  public let scalingFactor: Double
  private let pixelsPerLatent: Int
  /// Over everything in the file.
  let digest: String
  let component: Component

  /// What pictures show, and what is made of it.
  public struct Task: Sendable, Codable, Equatable, CustomStringConvertible {
    public var source: String
    public var target: String

    public init(source: String, target: String) { (self.source, self.target) = (source, target) }

    public var description: String { "\"\(source)\" → \"\(target)\"" }
  }

  /// - Throws: `TranslatorError.unreadable` naming the file and what is wrong with it.
  public init(path: String) throws {
    self.path = path
    do {
      let file = try SafetensorsFile(path: path)
      let description = try TranslatorFile.Description(file)
      (tasks, family, scalingFactor) = (description.tasks, description.family, description.scalingFactor)
      (pixelsPerLatent, digest) = (description.pixelsPerLatent, description.digest)
      let network = TranslatingNetwork(
        network: TranslationNetwork(description.configuration), pixelsPerLatent: description.pixelsPerLatent)
      component = try Component(
        "translator", [network], .init(configuration: description.configuration, summary: []),
        in: Checkpoint(file: path))
    } catch let error as TranslatorFile.Unsound {
      throw TranslatorError.unreadable(file: path, reason: error.sentence)
    } catch let error as WeightFileError {
      if let refusal = SystemRefusal(in: error) { throw refusal }
      throw TranslatorError(error, file: path)
    }
  }

  /// Reads `--task`: a number from 1, the target's words, or those of both prompts; nil where there is only one task.
  ///
  /// - Throws: `TranslatorError.unknownTask` with the list.
  package func task(_ words: String?) throws(TranslatorError) -> Int {
    guard let words else {
      guard tasks.count == 1 else { throw .unknownTask(nil, tasks: tasks, file: path) }
      return 0
    }
    if let number = Int(words), (1...tasks.count).contains(number) { return number - 1 }
    func plain(_ text: String) -> String {
      text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
    let found = tasks.indices.filter { i in
      [plain(tasks[i].target), plain("\(tasks[i])")].contains(plain(words))
    }
    guard found.count == 1 else { throw .unknownTask(words, tasks: tasks, file: path) }
    return found[0]
  }

  /// One translation by itself.
  package func translate(_ latent: Latent, task: Int, of model: Model, threads: Int) async throws -> Latent {
    let pixels = model.pixelsPerLatent
    let stage = try Stages(model: model, threads: threads, budget: nil).stage(
      "translate", of: component, NetworkSize(width: latent.width * pixels, height: latent.height * pixels))
    return try await TranslatingExecutor(stage, pool: ThreadPool(threads: threads), on: NetworkThread())
      .translate(latent, task: task)
  }

  /// - Throws: `TranslatorError.otherModel` for a model whose latents mean something else.
  func check(for model: Model) throws(TranslatorError) {
    guard model.family == family, Double(model.autoencoder.scalingFactor) == scalingFactor,
      model.pixelsPerLatent == pixelsPerLatent
    else {
      throw .otherModel(file: path, made: family, asked: model.family)
    }
  }
}

/// Why a translator cannot be used or written.
public enum TranslatorError: Error, Equatable, CustomStringConvertible {
  case unreadable(file: String, reason: String)
  /// Words that no task, or more than one, has; nil for none where a choice has to be made.
  case unknownTask(String?, tasks: [Translator.Task], file: String)
  case otherModel(file: String, made: String, asked: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "\(file) cannot be used as a translator: \(reason)"
    case .unknownTask(let words, let tasks, let file):
      "\(file) has \(words.map { "no one task \"\($0)\"" } ?? "several tasks"): give the number or the target of one of "
        + tasks.enumerated().map { "\($0 + 1) \($1)" }.joined(separator: ", ")
    case .otherModel(let file, let made, let asked):
      "\(file) translates latents of \(made) and the model is \(asked), of another kind or scale: use a model of the kind "
        + "that it was trained with, or train one for this"
    }
  }
}

extension TranslatorError {
  init(_ error: WeightFileError, file: String) {
    let reason =
      switch error {
      case .file(.missing): "there is no such file; check the path"
      case .file(.notARegularFile), .file(.unreadable), .file(.readFailed):
        "it cannot be read; check its permissions and the disk"
      case .notAWeightFile, .pickle: TranslatorFile.Unsound.otherFormat.sentence
      default: TranslatorFile.Unsound.damaged.sentence
      }
    self = .unreadable(file: file, reason: reason)
  }
}

/// Latent → `out`, the translated latent.
struct TranslatingNetwork: Network {
  var network: TranslationNetwork
  var pixelsPerLatent: Int

  let name = "translate"
  var sizeMultiple: Int? { pixelsPerLatent }

  func define(_ g: Scope, _ size: NetworkSize, keeping kept: KeptValues) throws -> [String: Value] {
    [
      "out": try network.define(height: size.height / pixelsPerLatent, width: size.width / pixelsPerLatent, g)
        .out
    ]
  }
}
