import Batch
import Foundation
import Testing

@Suite("A list of jobs") struct JobListTests {
  private func entries(_ text: String, shard: Shard = .whole) -> [BatchEntry] {
    var list = JobList(lines: Array(text.utf8), file: "jobs.jsonl", shard: shard)
    var all: [BatchEntry] = []
    while let more = list.next(atMost: 3, waits: true) { all += more }
    return all
  }

  private func jobs(_ text: String) -> [BatchJob] {
    entries(text).compactMap { if case .job(let job) = $0 { job } else { nil } }
  }

  private func reasons(_ text: String) -> [String] {
    entries(text).compactMap { if case .broken(_, _, let reason) = $0 { reason } else { nil } }
  }

  @Test("has a job a line, whose keys are options") func words() {
    let found = jobs(
      """
      {"image": "in/ball.one.jpg", "prompt": "a red ball", "steps": 8, "strength": 0.5, "no_metadata": null}
      {"method": "generate", "prompt": "-3", "reference_blend": true, "paste-back": false, "id": "cone"}
      {"concept": ["+snow", "-ball"], "image": "a.png", "output": "x.jpg"}
      """)
    #expect(
      found.map(\.words) == [
        ["--image", "in/ball.one.jpg", "--prompt", "a red ball", "--steps", "8", "--strength", "0.5"],
        ["--method", "generate", "--prompt", "-3", "--reference-blend", "--no-paste-back"],
        ["--concept", "+snow", "--concept", "-ball", "--image", "a.png"],
      ])
    #expect(found.map(\.name) == ["0001-ball.one", "cone", "0003-a"])
    #expect(found.map(\.output) == ["0001-ball.one.png", "cone.png", "x.jpg"])
    #expect(found.map(\.origin) == ["jobs.jsonl:1", "jobs.jsonl:2", "jobs.jsonl:3"])
  }

  @Test("makes an edit of every prompt with every seed") func products() {
    let found = jobs(
      #"{"id": "x", "output": "y.ppm", "prompt": ["a", "b"], "seed": [1, 2, 3], "image": "i.png"}"#)
    #expect(found.map(\.name) == (1...6).map { "x-\($0)" })
    #expect(found.map(\.output) == (1...6).map { "y-\($0).ppm" })
    #expect(found[3].words == ["--image", "i.png", "--prompt", "b", "--seed", "1"])
    #expect(Set(found.map(\.words)).count == 6)
    #expect(found.compactMap(\.sheet?.index) == Array(0..<6))
    #expect(
      found.allSatisfy { $0.sheet?.output == "y-sheet.ppm" && $0.sheet?.count == 6 && $0.sheet?.columns == 3 }
    )
    let row = jobs(#"{"id": "x", "prompt": "a", "seed": [1,2,3,4,5,6,7,8,9,10], "save_mask": "m.png"}"#)
    #expect(row.allSatisfy { $0.sheet?.columns == 8 && $0.sheet?.output == "x-sheet.png" })
    #expect(row[9].mask == "m-10.png")
    let without = jobs(#"{"id": "x", "prompt": ["a", "b"], "sheet": false}"# + "\n" + #"{"seed": [1]}"#)
    #expect(without.count == 3 && without.allSatisfy { $0.sheet == nil })
  }

  @Test("keeps masks and inversions under names of their own, in the folder") func keeps() {
    let job = jobs(#"{"id": "x", "image": "i.png", "save_mask": "m.png", "save-inversion": "i.inv"}"#)[0]
    #expect(job.words == ["--image", "i.png"] && job.mask == "m.png" && job.inversion == "i.inv")
    for line in [
      #"{"id": "a", "save_mask": "a.png"}"#, #"{"id": "a", "save_mask": "../m.png"}"#,
      #"{"id": "b", "output": "m.png"}"#,
    ] {
      let both = entries(#"{"id": "x", "save_mask": "m.png"}"# + "\n" + line)
      #expect(jobs(#"{"id": "x", "save_mask": "m.png"}"# + "\n" + line).count == 1, "\(both)")
    }
    // A sheet's name is taken by nothing else either.
    let sheet = #"{"id": "x", "seed": [1, 2]}"# + "\n" + #"{"id": "x-sheet"}"#
    #expect(jobs(sheet).map(\.name) == ["x-1", "x-2"])
  }

  @Test("writes what has no name of its own as the format that was asked for") func format() {
    var list = JobList(
      lines: Array("{\"id\": \"a\"}\n{\"output\": \"b.png\"}".utf8), file: "jobs.jsonl", fileExtension: "jpg")
    let outputs = list.next(atMost: 9, waits: true)?.compactMap { entry in
      if case .job(let job) = entry { job.output } else { nil }
    }
    #expect(outputs == ["a.jpg", "b.png"])
  }

  @Test(
    "tells broken lines from the others, and leaves empty ones out",
    arguments: [
      ("{\"image\": ", "JSON"), ("[1]", "list"), ("{\"id\": \"../x\"}", "../x"),
      ("{\"prompt\": []}", "empty list"), ("{\"steps\": {}}", "object"), ("{\"id\": \".x\"}", ".x"),
      ("{\"image\": \"a\", \"image\": \"b\"}", "JSON"),
    ])
  func broken(line: String, word: String) {
    let text = "\n{\"id\": \"one\"}\n\(line)\n   \n{\"id\": \"two\"}"
    #expect(jobs(text).map(\.name) == ["one", "two"])
    let reasons = reasons(text)
    #expect(reasons.count == 1 && reasons[0].contains(word), "\(reasons)")
  }

  @Test("has no name and no file twice") func twice() {
    let found = entries(
      """
      {"id": "a"}
      {"id": "a", "seed": 2}
      {"id": "b", "output": "a.png"}
      """)
    #expect(found.count == 3)
    #expect(jobs("{\"id\": \"a\"}\n{\"id\": \"a\"}").count == 1)
    for entry in found.dropFirst() {
      guard case .broken(_, _, let reason) = entry else {
        Issue.record("\(entry) was taken")
        continue
      }
      #expect(reason.contains("jobs.jsonl:1"))
    }
  }

  @Test("is a folder's files, of which none takes another's name") func folder() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "jobs-\(UUID())")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(
      at: folder.appending(path: "more"), withIntermediateDirectories: true)
    for name in ["b.png", "a.jpg", "a.png", ".hidden", "notes.txt", "a.XMP"] {
      try Data().write(to: folder.appending(path: name))
    }
    var list = try JobList(folder: folder.path)
    let names = list.next(atMost: 9, waits: true)?.map(\.name)
    #expect(names == ["a.jpg", "a.png", "b"])
    #expect(throws: (any Error).self) { try JobList(folder: folder.path + "/none") }
  }

  @Test("comes line by line from a descriptor, and a line that is too long is no job") func stream() throws {
    let pipe = Pipe()
    var jobs = JobStream(descriptor: pipe.fileHandleForReading.fileDescriptor, isStopped: { false })
    #expect(try jobs.next(atMost: 8, waits: false) == [])
    pipe.fileHandleForWriting.write(Data("{\"id\": \"a\"}\n{\"id\": ".utf8))
    #expect(try jobs.next(atMost: 8, waits: true)?.map(\.name) == ["a"])
    #expect(try jobs.next(atMost: 8, waits: false) == [])
    pipe.fileHandleForWriting.write(Data("\"b\"}\n\n{\"id\": \"c\"}".utf8))
    try pipe.fileHandleForWriting.close()
    #expect(try jobs.next(atMost: 1, waits: true)?.map(\.name) == ["b"])
    #expect(try jobs.next(atMost: 8, waits: true)?.map(\.name) == ["c"])
    #expect(try jobs.next(atMost: 8, waits: true) == nil)
    let other = Pipe()
    var stopped = JobStream(descriptor: other.fileHandleForReading.fileDescriptor, isStopped: { true })
    #expect(try stopped.next(atMost: 8, waits: true) == nil)
  }

  @Test(
    "takes no name of a file that the batch keeps, and no word that is obeyed anywhere",
    arguments: [
      #"{"id": "a", "save_inversion": "batch.journal"}"#: "keeps a file of that name",
      #"{"id": "a", "output": "batch.2of3.journal"}"#: "keeps a file of that name",
      #"{"id": "a", "save_mask": "summary.json"}"#: "keeps a file of that name",
      #"{"id": "a", "save_inversion": "b.checkpoint"}"#: "keeps a file of that name",
      #"{"help": true}"#: "\"help\" is no option",
      #"{"experimental_dump_help": true}"#: "is no option",
      #"{"seed=1 ": 2}"#: "is no option",
      #"{"": 2}"#: "is no option",
      #"{"seed": 18446744073709551615}"#: "write it as a string",
    ])
  func reserved(line: String, reason: String) {
    let reasons = reasons(line)
    #expect(reasons.count == 1 && reasons[0].contains(reason), "\(reasons)")
  }

  @Test("of a folder names what is no file, and passes folders over") func noFiles() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "jobs-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder + "/inner", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try Data([1]).write(to: URL(fileURLWithPath: folder + "/a.png"))
    try Data([1]).write(to: URL(fileURLWithPath: folder + "/.hidden.png"))
    try FileManager.default.createSymbolicLink(
      atPath: folder + "/dangling.png", withDestinationPath: "nowhere")
    #expect(mkfifo(folder + "/pipe.png", 0o600) == 0)
    var list = try JobList(folder: folder)
    let entries = list.next(atMost: 9, waits: true) ?? []
    #expect(entries.map(\.name) == ["a", "dangling.png", "pipe.png"])
    let broken = entries.filter { if case .broken = $0 { true } else { false } }
    #expect(broken.map(\.name) == ["dangling.png", "pipe.png"])
  }

  @Test("of a stream answers a line that is too long once, and reads on behind it") func longLine() throws {
    let pipe = Pipe()
    let text = #"{"id": "long", "prompt": ""# + String(repeating: "a ", count: 1_500_000) + "\"}\n"
    let writer = Thread {
      pipe.fileHandleForWriting.write(Data((text + #"{"id": "after", "prompt": "x"}"#).utf8))
      try? pipe.fileHandleForWriting.close()
    }
    writer.start()
    var stream = JobStream(descriptor: pipe.fileHandleForReading.fileDescriptor, isStopped: { false })
    var entries: [BatchEntry] = []
    while let more = try stream.next(atMost: 4, waits: true) { entries += more }
    #expect(entries.map(\.name) == ["0001", "after"])
    guard case .broken(_, _, let reason) = entries[0] else { return #expect(Bool(false), "it was a job") }
    #expect(reason.contains("longer than 1 MiB"))
  }
}
