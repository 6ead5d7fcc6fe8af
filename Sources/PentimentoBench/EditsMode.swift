import Evaluation
import Pentimento
import Platform

/// `pentimento-bench edits`: every editing method over rendered pairs, where the right answer is known.
///
///     pentimento-bench edits --output FOLDER [--pairs FOLDER] [--methods a,b:setting=value,…] [--kinds a,b]
///                            [--set setting=value]… [--names a,b] [--seed n,n] [--model FOLDER] [--threads n]
///     pentimento-bench edits --pictures FOLDER,FOLDER [--pairs FOLDER] [--names a,b]
///
/// The second form measures pictures that something else made, `FOLDER/<pair>.png`.
struct EditsMode: BenchMode {
  private var pairs = "Examples/pairs"
  private var methods = Contestant.all
  private var settings: [String] = []
  private var kinds: [String] = []
  private var names: [String] = []
  private var seeds: [UInt64] = [42]
  private var pictures: [String] = []
  private var model: String?
  private var threads = 2
  private var output = ""

  init(_ arguments: ArraySlice<String>) throws {
    var arguments = arguments
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
        seeds = list.compactMap(UInt64.init)
        guard !seeds.isEmpty, seeds.count == list.count else {
          throw Misuse(description: "--seed takes whole numbers")
        }
      case "--pictures": pictures = list
      case "--threads":
        guard let number = Int(value), number > 0 else {
          throw Misuse(description: "--threads takes a number")
        }
        threads = number
      default:
        throw Misuse(
          description:
            "there is no \(option): use --output, --pairs, --methods, --kinds, --names, --set, --seed, "
            + "--model, --threads or --pictures")
      }
    }
    guard !output.isEmpty || !pictures.isEmpty else {
      throw Misuse(description: "--output is missing: name a folder for the results")
    }
  }

  func run() async throws {
    let chosen = try EditPair.read(folder: pairs).filter { names.isEmpty || names.contains($0.name) }
    if !pictures.isEmpty {
      return print(ResultRow.markdown(try EditEvaluation.score(pictures, chosen)), terminator: "")
    }
    let contestants = try methods.map { text in
      var contestant = try Contestant(parsing: text)
      for setting in settings { try contestant.set(setting) }
      return contestant
    }
    let editor = try Editor(model: try Model(at: ModelLocation.find(model)), threads: threads)
    var evaluation = EditEvaluation(editor: editor, pairs: chosen, output: output)
    evaluation.kinds = kinds
    evaluation.seeds = seeds
    let rows = try await evaluation.run(contestants) { say($0) }
    print(ResultRow.markdown(rows), terminator: "")
  }
}
