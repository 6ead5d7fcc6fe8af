import ArgumentParser

/// A seed as it is given: a number, or -1 (also "random") for one that is drawn.
struct Seed: ExpressibleByArgument, Sendable, Equatable {
  /// Nil for one that is to be drawn.
  var number: UInt64?

  static let drawn = Seed(number: nil)

  init?(argument: String) {
    if argument == "-1" || argument.lowercased() == "random" {
      self = .drawn
    } else if let number = UInt64(argument) {
      self.number = number
    } else {
      return nil
    }
  }

  private init(number: UInt64?) { self.number = number }

  /// The number, or one that is drawn now: under 2³², which every program that reads seeds can take.
  func chosen() -> UInt64 { number ?? UInt64(UInt32.random(in: 0...UInt32.max)) }
}

struct SeedOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seed of the noise; -1 draws one, which is said and recorded. (default: 42)",
      valueName: "number|-1"))
  var seed: Seed?

  /// Nil where none was given. One that is to be drawn is another each time, and said.
  func chosen() -> UInt64? {
    guard let seed else { return nil }
    let number = seed.chosen()
    if seed == .drawn { note("seed \(number) was drawn: --seed \(number) makes the same again") }
    return number
  }

  /// Refuses a seed that would be another at the next start.
  ///
  /// - Parameter reason: why it has to be the same.
  /// - Throws: `ValidationError`.
  func refuseDrawn(_ reason: String) throws {
    guard seed == .drawn else { return }
    throw ValidationError("--seed -1 draws another seed at every start, and \(reason): give a number")
  }
}
