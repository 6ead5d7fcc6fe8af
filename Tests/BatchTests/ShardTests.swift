import Batch
import Testing

@Suite("A part of a batch") struct ShardTests {
  private func names(_ shard: Shard, of count: Int) -> [String] {
    let text = (0..<count).map { "{\"id\": \"j\($0)\"}" }.joined(separator: "\n")
    var list = JobList(lines: Array(text.utf8), file: "jobs.jsonl", shard: shard)
    return list.next(atMost: count, waits: true)?.map(\.name) ?? []
  }

  /// What Slurm tells each task of an array, as `sbatch --array` of Slurm 22.05 does: the numbers themselves are never
  /// told.
  private func array(_ numbers: [Int]) -> [[String: String]] {
    numbers.map {
      [
        "SLURM_ARRAY_TASK_ID": "\($0)", "SLURM_ARRAY_TASK_COUNT": "\(numbers.count)",
        "SLURM_ARRAY_TASK_MIN": "\(numbers.min()!)", "SLURM_ARRAY_TASK_MAX": "\(numbers.max()!)",
        // Of numbers with commas it is 1, too.
        "SLURM_ARRAY_TASK_STEP": "1",
      ]
    }
  }

  @Test(
    "has no job in common with another, and together they have every one", arguments: [1, 2, 3, 7, 40, 41])
  func partition(count: Int) throws {
    let parts = try (1...count).map {
      names(try Shard(parsing: "\($0)/\(count)", environment: [:]), of: 40)
    }
    #expect(parts.joined().sorted() == (0..<40).map { "j\($0)" }.sorted())
    #expect(parts.map(\.count).max()! - parts.map(\.count).min()! <= 1)
  }

  @Test(
    "is that of a Slurm array with evenly spaced numbers, wherever they begin",
    arguments: [[0, 1, 2, 3], [1, 2, 3, 4], [1, 3, 5, 7], [1, 4, 7, 10], [17, 18], [100, 0, 50]])
  func arrays(numbers: [Int]) throws {
    let tasks = array(numbers)
    let own = try tasks.map { try Shard(environment: $0) }
    let order = numbers.sorted()
    #expect(own.map(\.index) == numbers.map { order.firstIndex(of: $0)! })
    #expect(own.allSatisfy { $0.count == numbers.count })
    #expect(try tasks.map { try Shard(parsing: "/\(numbers.count)", environment: $0) } == own)
    #expect(own.flatMap { names($0, of: 40) }.sorted() == (0..<40).map { "j\($0)" }.sorted())
  }

  @Test(
    "is refused by a task of an uneven array, before two tasks do the same and nobody the rest",
    arguments: [[1, 2, 7], [0, 1, 2, 6], [1, 2, 4], [0, 1, 3], [0, 2, 3, 9]])
  func uneven(numbers: [Int]) {
    var (places, refused): ([Int], Int) = ([], 0)
    for task in array(numbers) {
      do { places.append(try Shard(environment: task).index) } catch {
        guard case .uneven(_, numbers.count) = error else {
          Issue.record("\(error)")
          continue
        }
        refused += 1
      }
    }
    #expect(refused > 0)
    #expect(Set(places).count == places.count)
  }

  @Test("is not guessed where a few tasks of an array are submitted again") func resubmitted() throws {
    for task in array([2]) + array([1, 2]) {
      let count = Int(task["SLURM_ARRAY_TASK_COUNT"]!)!
      #expect(throws: ShardError.otherArray(tasks: count, count: 4)) {
        try Shard(parsing: "/4", environment: task)
      }
      #expect(try Shard(parsing: "3/4", environment: task).index == 2)
    }
    // Alone, an array of one task is no part.
    #expect(try Shard(environment: array([2])[0]) == .whole)
  }

  @Test("has its number from a Kubernetes indexed Job from 0, from GNU parallel from 1") func others() throws
  {
    for i in 0..<4 {
      let written = try Shard(parsing: "\(i + 1)/4", environment: [:])
      #expect(try Shard(parsing: "/4", environment: ["JOB_COMPLETION_INDEX": "\(i)"]) == written)
      #expect(try Shard(parsing: "/4", environment: ["PARALLEL_SEQ": "\(i + 1)"]) == written)
      #expect(written.suffix == ".\(i + 1)of4")
    }
    // Neither says how many there are.
    #expect(try Shard(environment: ["JOB_COMPLETION_INDEX": "2", "PARALLEL_SEQ": "3"]) == .whole)
    // What is written is what holds.
    #expect(try Shard(parsing: "2/4", environment: ["PARALLEL_SEQ": "4"]).index == 1)
    #expect(throws: ShardError.beyond(index: 4, count: 4)) {
      try Shard(parsing: "/4", environment: ["JOB_COMPLETION_INDEX": "4"])
    }
    #expect(throws: ShardError.beyond(index: 4, count: 4)) {
      try Shard(parsing: "/4", environment: ["PARALLEL_SEQ": "5"])
    }
  }

  @Test("is written i/n, or /n where the environment has the number") func spelling() throws {
    #expect(throws: ShardError.noNumber("/4")) { try Shard(parsing: "/4", environment: [:]) }
    #expect(throws: ShardError.noNumber("/4")) {
      try Shard(parsing: "/4", environment: ["PARALLEL_SEQ": "0", "JOB_COMPLETION_INDEX": "-1"])
    }
    for wrong in ["0/4", "5/4", "4", "a/b", "1/0", "1/2/3", "/", "/-1", " 1/4"] {
      #expect(throws: ShardError.spelling(wrong)) { try Shard(parsing: wrong, environment: [:]) }
    }
  }
}
