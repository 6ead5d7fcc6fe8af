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
    guard let index = try Self.index(environment, of: count) else { throw .noNumber(text) }
    guard index < count else { throw .beyond(index: index, count: count) }
    self.init(index: index, count: count)
  }

  /// The part of a Slurm array that the environment tells of; the whole batch anywhere else: there, nothing says into how
  /// many parts it was cut.
  ///
  /// - Throws: `ShardError`.
  public init(environment: [String: String]) throws(ShardError) {
    guard let count = Self.number("SLURM_ARRAY_TASK_COUNT", environment), count > 1,
      let index = try Self.index(environment, of: count)
    else {
      self = .whole
      return
    }
    self.init(index: index, count: count)
  }

  private static func number(_ name: String, _ environment: [String: String]) -> Int? {
    environment[name].flatMap { Int($0) }
  }

  /// The number of this part, from 0: of a Slurm array, of a Kubernetes indexed Job, or of GNU parallel.
  private static func index(_ environment: [String: String], of count: Int) throws(ShardError) -> Int? {
    if let task = number("SLURM_ARRAY_TASK_ID", environment) {
      return try place(of: task, environment, count)
    }
    if let index = number("JOB_COMPLETION_INDEX", environment), index >= 0 { return index }
    // GNU parallel counts from 1.
    if let sequence = number("PARALLEL_SEQ", environment), sequence >= 1 { return sequence - 1 }
    return nil
  }

  /// The place of a task among those of its array: 5 of 1-7:2 is the third of four.
  ///
  /// Slurm tells a task the least and the greatest number and how many there are, so only evenly spaced ones have
  /// places. Of numbers that are not, at least one lies between the places, and that task says so.
  private static func place(
    of task: Int, _ environment: [String: String], _ count: Int
  ) throws(ShardError) -> Int {
    let tasks = number("SLURM_ARRAY_TASK_COUNT", environment) ?? count
    guard tasks == count else { throw .otherArray(tasks: tasks, count: count) }
    let least = number("SLURM_ARRAY_TASK_MIN", environment) ?? 0
    let most = number("SLURM_ARRAY_TASK_MAX", environment) ?? least + count - 1
    let step = count > 1 ? max(1, (most - least) / (count - 1)) : 1
    guard (least...max(least, most)).contains(task), (task - least) % step == 0,
      (most - least) / step == count - 1
    else { throw .uneven(task: task, count: count) }
    return (task - least) / step
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
  case otherArray(tasks: Int, count: Int)
  case uneven(task: Int, count: Int)

  public var description: String {
    switch self {
    case .spelling(let text):
      "a shard cannot be \"\(text)\": give its number and how many there are, as 2/8, or /8 where the environment says which"
    case .noNumber(let text):
      "the shard \(text) has no number, and the environment has none from Slurm, Kubernetes or GNU parallel: write 1\(text)"
    case .beyond(let index, let count):
      "this is part \(index + 1) of \(count): say into how many parts the batch is cut"
    case .otherArray(let tasks, let count):
      "the Slurm array has \(tasks == 1 ? "1 task" : "\(tasks) tasks"), not \(count): write the number of the part, as 1/\(count)"
    case .uneven(let task, let count):
      "task \(task) of the Slurm array has no place among \(count), for their numbers are not evenly spaced: write the number of the part, as 1/\(count)"
    }
  }
}
