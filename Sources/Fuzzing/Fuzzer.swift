import FoundationEssentials
import Platform

/// Gives mutated files to a reader, in this process, and counts what happens.
///
/// Every input is on the disk before it is read, so that one that ends the process is found in `folder`.
package struct Fuzzer {
  package struct Result: Sendable {
    package var executions = 0
    /// Inputs that were read in full.
    package var accepted = 0
    /// How often each error was thrown, by its case.
    package var errors: [String: Int] = [:]
    /// The longest that a single input took.
    package var slowest = Duration.zero
  }

  private let target: any FuzzTarget
  private let folder: String
  private var mutator: Mutator

  /// - Parameters:
  ///   - fixtures: the package's `Tests/Fixtures`.
  ///   - folder: is made; what the last input was stays in its `input`.
  package init(_ reader: FuzzReader, seed: UInt64, fixtures: String, folder: String) throws {
    target = try reader.target(fixtures: fixtures)
    mutator = Mutator(seed: seed, words: target.words, isText: target.isText)
    self.folder = folder
    for name in ["input", "work"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
  }

  /// Runs so many inputs, or for a time, whichever ends first.
  ///
  /// - Throws: `Broken`, or what cannot be written.
  package mutating func run(executions: Int = .max, for time: Duration = .seconds(1 << 30)) async throws
    -> Result
  {
    var result = Result()
    for seed in target.seeds { try await target.read(seed, in: "\(folder)/work") }
    let clock = ContinuousClock.now
    while result.executions < executions, ContinuousClock.now - clock < time {
      let parts = next()
      try save(parts)
      let start = ContinuousClock.now
      do {
        try await target.read(parts, in: "\(folder)/work")
        result.accepted += 1
      } catch let error as Broken {
        throw error
      } catch {
        let name = Mirror(reflecting: error).children.first?.label ?? "\(error)"
        result.errors["\(type(of: error)).\(name)", default: 0] += 1
      }
      result.executions += 1
      result.slowest = max(result.slowest, ContinuousClock.now - start)
    }
    return result
  }

  /// A sound input of which one part is changed.
  private mutating func next() -> [[UInt8]] {
    let seeds = target.seeds
    var parts = seeds[mutator.below(seeds.count)]
    let part = mutator.below(parts.count)
    let other = seeds[mutator.below(seeds.count)]
    parts[part] = target.mutated(parts[part], other: other[min(part, other.count - 1)], &mutator)
    return parts
  }

  private func save(_ parts: [[UInt8]]) throws {
    for (i, part) in parts.enumerated() { try write(part, to: "\(folder)/input/\(i)") }
  }

  /// Reads an input that an earlier run left in `folder`.
  package func replay() async throws {
    let parts = try target.seeds[0].indices.map { i in
      [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/input/\(i)")))
    }
    try await target.read(parts, in: "\(folder)/work")
  }
}

/// A file as fast as it goes: Foundation waits for the disk.
func write(_ bytes: [UInt8], to path: String) throws {
  guard let file = fopen(path, "wb") else { throw Broken("\(path) cannot be written") }
  let written = fwrite(bytes, 1, bytes.count, file)
  guard fclose(file) == 0, written == bytes.count else { throw Broken("\(path) cannot be written") }
}

/// More of the file, which is zeros and takes no room.
func extend(_ path: String, to count: Int) throws {
  guard truncate(path, off_t(count)) == 0 else { throw Broken("\(path) cannot have \(count) bytes") }
}
