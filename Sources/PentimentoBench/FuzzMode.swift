import Fuzzing
import Platform

/// `pentimento-bench fuzz`: hostile files for every reader, in this process.
///
///     pentimento-bench fuzz [READER …] [--seconds n] [--seed n] [--fixtures FOLDER] [--output FOLDER]
///     pentimento-bench fuzz READER --replay FOLDER      reads the input that a run left there
///
/// A line for each reader: inputs tried, inputs read in full, kinds of errors, the slowest input. A crash ends the
/// process, and the input is in the folder.
struct FuzzMode: BenchMode {
  private var readers: [FuzzReader] = []
  private var seconds = 1.0
  private var seed: UInt64 = 1
  private var fixtures = "Tests/Fixtures"
  private var output = "/tmp/pentimento-fuzz"
  private var replay: String?

  init(_ arguments: ArraySlice<String>) throws {
    var arguments = arguments
    while let argument = arguments.popFirst() {
      guard argument.hasPrefix("--") else {
        guard let reader = FuzzReader(rawValue: argument) else {
          let names = FuzzReader.allCases.map(\.rawValue).joined(separator: ", ")
          throw Misuse(description: "there is no reader \(argument): name \(names)")
        }
        readers.append(reader)
        continue
      }
      guard let value = arguments.popFirst() else { throw Misuse(description: "\(argument) needs a value") }
      switch argument {
      case "--seconds": seconds = try number(value, argument)
      case "--seed": seed = UInt64(try number(value, argument))
      case "--fixtures": fixtures = value
      case "--output": output = value
      case "--replay": replay = value
      default:
        throw Misuse(
          description: "there is no \(argument): use --seconds, --seed, --fixtures, --output or --replay")
      }
    }
    if readers.isEmpty { readers = FuzzReader.allCases }
  }

  func run() async throws {
    if let replay {
      return try await Fuzzer(readers[0], seed: seed, fixtures: fixtures, folder: replay).replay()
    }
    for reader in readers {
      var fuzzer = try Fuzzer(reader, seed: seed, fixtures: fixtures, folder: "\(output)/\(reader.rawValue)")
      let result = try await fuzzer.run(for: .seconds(seconds))
      let milliseconds = Int(result.slowest / .milliseconds(1))
      print(
        "\(reader.rawValue)  \(result.executions) executions  \(result.accepted) accepted  "
          + "\(result.errors.count) errors  slowest \(milliseconds) ms")
      for (name, count) in result.errors.sorted(by: { $0.value > $1.value }) {
        print("    \(count)  \(name)")
      }
      fflush(nil)
    }
  }
}

private func number(_ text: String, _ option: String) throws -> Double {
  guard let number = Double(text), (0...1e9).contains(number) else {
    throw Misuse(description: "\(option) takes a number")
  }
  return number
}
