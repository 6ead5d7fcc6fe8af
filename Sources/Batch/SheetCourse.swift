import Files

/// The sheets of a run: what is known of the pictures of every line that makes several.
struct SheetCourse {
  /// A sheet all of whose pictures are done or failed.
  struct Complete {
    let output: String
    let origin: String
    let columns: Int
    /// Files in the folder of the batch, row by row; nil for one that failed.
    let pictures: [String?]
    /// Of the jobs and of which of them are done.
    let digest: String

    /// In the journal; no job's, since it has a slash in it.
    var recordName: String { "sheet/\(output)" }
    var name: String { output.lastIndex(of: ".").map { String(output[..<$0]) } ?? output }
  }

  private struct Sheet {
    let place: SheetPlace
    let origin: String
    var digests: [Int: String] = [:]
    var outcomes: [Int: BatchOutcome] = [:]
  }

  private var sheets: [String: Sheet] = [:]
  /// The sheet of a job and the place on it, by the job's place in the list.
  private var members: [Int: (output: String, index: Int)] = [:]
  private var complete: [String] = []

  mutating func add(_ sheet: SheetPlace, _ place: Int, _ origin: String, _ digest: String) {
    members[place] = (sheet.output, sheet.index)
    sheets[sheet.output, default: Sheet(place: sheet, origin: origin)].digests[sheet.index] = digest
  }

  mutating func settle(_ place: Int, _ outcome: BatchOutcome) {
    guard let (output, index) = members.removeValue(forKey: place) else { return }
    sheets[output]!.outcomes[index] = outcome
    let sheet = sheets[output]!
    // Of what is cut into parts, no part may have all.
    guard sheet.outcomes.count == sheet.place.count else { return }
    let outcomes = sheet.outcomes.values
    if outcomes.contains(where: { $0.state == .left }) || !outcomes.contains(where: { $0.state == .done }) {
      sheets[output] = nil
    } else {
      complete.append(output)
    }
  }

  mutating func takeComplete() -> [Complete] {
    defer { complete = [] }
    return complete.map { output in
      let sheet = sheets.removeValue(forKey: output)!
      let pictures = (0..<sheet.place.count).map { i -> String? in
        let outcome = sheet.outcomes[i]!
        return outcome.state == .done ? outcome.output : nil
      }
      let parts = pictures.indices.map { "\(sheet.digests[$0]!):\(pictures[$0] != nil)" }
      let digest = SHA256.hex(of: Array(parts.joined(separator: "\n").utf8))
      return Complete(
        output: output, origin: sheet.origin, columns: sheet.place.columns, pictures: pictures, digest: digest
      )
    }
  }
}
