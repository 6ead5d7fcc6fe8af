import Evaluation
import Foundation
import Pentimento
import Testing

/// On the embedded model, with so few steps that nothing good can come of it: what is run, kept and run again.
@Suite("Edit evaluation") struct EditEvaluationTests {
  @Test("keeps picture, record, sheet and table, and answers only the same question from them")
  func resumes() async throws {
    let output = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: output) }
    let model = try Model(
      folder: URL(fileURLWithPath: examples + "/../../Weights/embedded").standardizedFileURL)
    let pair = try #require(try EditPair.read(folder: examples).first { $0.name == "colour-ball" })
    let evaluation = EditEvaluation(
      editor: try Editor(model: model, threads: 2), pairs: [pair], output: output)

    func run(_ method: String) async throws -> (rows: [ResultRow], line: String) {
      var lines: [String] = []
      let rows = try await evaluation.run([try Contestant(parsing: method)]) { lines.append($0) }
      return (rows, lines.joined())
    }
    let first = try await run("sdedit:sampler=ode:steps=4:strength=0.5")
    #expect(!first.line.contains("done before"))
    #expect(first.rows.map(\.kind) == ["all", "colour"])
    #expect(first.rows[0].evaluations == 4 && first.rows[0].pairs == 1)
    for file in [
      "sdedit-ode-steps4-strength0.5/colour-ball.png", "sdedit-ode-steps4-strength0.5.png", "results.md",
      "results.json", "results.svg",
    ] {
      #expect(FileManager.default.fileExists(atPath: "\(output)/\(file)"), "\(file)")
    }
    let plot = try String(contentsOfFile: "\(output)/results.svg", encoding: .utf8)
    // One edit of four evaluations that failed: the only point, at the lower left corner, with no whisker.
    #expect(plot.contains("<circle cx=\"46.0\" cy=\"260.0\"") && plot.contains("M46.0 260.0V260.0"))
    #expect(plot.contains("1  sdedit-ode-steps4-strength0.5, 4 evaluations</text>"))
    let record = try JSONDecoder().decode(
      EditRecord.self,
      from: Data(contentsOf: URL(fileURLWithPath: "\(output)/sdedit-ode-steps4-strength0.5/colour-ball.json"))
    )
    #expect(
      record.report?.settingsFrom["steps"] == "caller"
        && record.report?.settingsFrom["cfg-scale"] == "model")

    let second = try await run("sdedit:sampler=ode:steps=4:strength=0.5")
    #expect(second.line.contains("done before") && second.rows == first.rows)

    // The same folder, another question.
    var other = evaluation
    other.seeds = [7]
    var lines = ""
    _ = try await other.run([try Contestant(parsing: "sdedit:sampler=ode:steps=4:strength=0.5")]) {
      lines += $0
    }
    #expect(!lines.contains("done before"))
  }

  @Test("says so where there is nothing to do")
  func nothing() async throws {
    let model = try Model(
      folder: URL(fileURLWithPath: examples + "/../../Weights/embedded").standardizedFileURL)
    var evaluation = EditEvaluation(
      editor: try Editor(model: model, threads: 1), pairs: [], output: "/no/such")
    evaluation.kinds = ["colour"]
    await #expect(throws: EvaluationError.nothingToDo(kinds: ["colour"])) {
      try await evaluation.run([try Contestant(parsing: "dds")])
    }
  }
}
