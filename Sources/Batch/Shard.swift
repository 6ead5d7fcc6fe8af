/// One of several parts of a batch that run on their own, on other cores or machines: every place of the list belongs to
/// one of them.
public struct Shard: Sendable, Equatable {
  /// From 0.
  public let index: Int
  public let count: Int

  public static let whole = Shard(index: 0, count: 1)

  private init(index: Int, count: Int) { (self.index, self.count) = (index, count) }

  /// Reads `2/8`, the second of eight; of `/8` the number comes from the environment.
  ///
  /// - Throws: `ShardError`.
  public init(parsing text: String, environment: [String: String]) throws(ShardError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Int(parts[1]), count >= 1 else { throw .spelling(text) }
    guard parts[0].isEmpty else {
      guard let number = Int(parts[0]), (1...count).contains(number) else { throw .spelling(text) }
      self.init(index: number - 1, count: count)
      return
    }
    guard let index = Self.index(environment) else { throw .noNumber(text) }
    guard index < count else { throw .beyond(index: index, count: count) }
    self.init(index: index, count: count)
  }

  /// The part of a Slurm array that the environment tells of; the whole batch anywhere else: there, nothing says into how
  /// many parts it was cut.
  public init(environment: [String: String]) throws(ShardError) {
    guard let count = environment["SLURM_ARRAY_TASK_COUNT"].flatMap({ Int($0) }), count > 1,
      let index = Self.index(environment)
    else {
      self = .whole
      return
    }
    guard index < count else { throw .beyond(index: index, count: count) }
    self.init(index: index, count: count)
  }

  /// The number of this part, from 0: of a Slurm array, of a Kubernetes indexed Job, or of GNU parallel.
  private static func index(_ environment: [String: String]) -> Int? {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }
    if let task = number("SLURM_ARRAY_TASK_ID") {
      // Evenly spaced numbers from the least: 1-7:2 are four tasks.
      let (least, most) = (number("SLURM_ARRAY_TASK_MIN") ?? 0, number("SLURM_ARRAY_TASK_MAX"))
      let count = number("SLURM_ARRAY_TASK_COUNT") ?? 1
      let step = most.map { count > 1 ? max(1, ($0 - least) / (count - 1)) : 1 } ?? 1
      return task >= least ? (task - least) / step : nil
    }
    if let index = number("JOB_COMPLETION_INDEX"), index >= 0 { return index }
    // GNU parallel counts from 1.
    if let sequence = number("PARALLEL_SEQ"), sequence >= 1 { return sequence - 1 }
    return nil
  }

  func part<Element>(of list: [Element]) -> [Element] {
    list.enumerated().filter { $0.offset % count == index }.map(\.element)
  }

  /// What stands in names of files that every part has: `.2of8`, nothing for the whole.
  package var suffix: String { count == 1 ? "" : ".\(index + 1)of\(count)" }
}

/// Why a part of a batch cannot be made out.
public enum ShardError: Error, Equatable, CustomStringConvertible {
  case spelling(String)
  case noNumber(String)
  case beyond(index: Int, count: Int)

  public var description: String {
    switch self {
    case .spelling(let text):
      "a shard cannot be \"\(text)\": give its number and how many there are, as 2/8, or /8 where the environment says which"
    case .noNumber(let text):
      "the shard \(text) has no number, and the environment has none from Slurm, Kubernetes or GNU parallel: write 1\(text)"
    case .beyond(let index, let count):
      "this is part \(index + 1) of \(count): say into how many parts the batch is cut"
    }
  }
}
