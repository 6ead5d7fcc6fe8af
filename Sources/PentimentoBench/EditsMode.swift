import Evaluation
import Pentimento
import Platform

/// `pentimento-bench edits`: every editing method over rendered pairs, where the right answer is known.
///
///     pentimento-bench edits --output FOLDER [--pairs FOLDER] [--methods a,b:setting=value,…] [--kinds a,b]
///                            [--set setting=value]… [--names a,b] [--seed n] [--model FOLDER] [--threads n]
struct EditsMode {
  private var pairs = "Examples/pairs"
  private var methods = Contestant.all
  private var settings: [String] = []
  private var kinds: [String] = []
  private var names: [String] = []
  private var seed: UInt64 = 42
  private var model: String?
  private var threads = 2
  private var output = ""

  struct Misuse: Error, CustomStringConvertible { var description: String }

  init(_ arguments: some Collection<String>) throws {
    var arguments = Array(arguments)[...]
    while let option = arguments.popFirst() {
      guard let value = arguments.popFirst() else { throw Misuse(description: "\(option) needs a value") }
      let list = value.split(separator: ",").map(String.init)
      switch option {
      case "--pairs": pairs = value
      case "--methods": methods = list
      case "--kinds": kinds = list
      case "--names": names = list
      case "--set": settings.append(value)
      case "--model": model = value
      case "--output": output = value
      case "--seed":
        guard let number = UInt64(value) else { throw Misuse(description: "--seed takes a whole number") }
        seed = number
      case "--threads":
        guard let number = Int(value), number > 0 else {
          throw Misuse(description: "--threads takes a number")
        }
        threads = number
      default:
        throw Misuse(
          description:
            "there is no \(option): use --output, --pairs, --methods, --kinds, --names, --set, --seed, "
            + "--model or --threads")
      }
    }
    guard !output.isEmpty else {
      throw Misuse(description: "--output is missing: name a folder for the results")
    }
  }

  func run() async throws {
    let contestants = try methods.map { text in
      var contestant = try Contestant(parsing: text)
      for setting in settings { try contestant.set(setting) }
      return contestant
    }
    let editor = try Editor(model: try Model(at: ModelLocation.find(model)), threads: threads)
    let chosen = try EditPair.read(folder: pairs).filter { names.isEmpty || names.contains($0.name) }
    var evaluation = EditEvaluation(editor: editor, pairs: chosen, output: output)
    evaluation.kinds = kinds
    evaluation.seed = seed
    let rows = try await evaluation.run(contestants) { EditsMode.say($0) }
    print(ResultRow.markdown(rows), terminator: "")
  }

  /// One line to standard error, where results do not go.
  static func say(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
