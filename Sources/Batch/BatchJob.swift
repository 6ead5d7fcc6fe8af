import Files
import JSON

/// One edit of a batch as it was written: the words of `edit` for it, and under which name its files go.
public struct BatchJob: Sendable, Equatable {
  /// In files, in the journal and in the summary; no two jobs of a batch have the same.
  public let name: String
  /// Of the picture, in the folder of the batch.
  public let output: String
  /// Options and their values, as a command line has them.
  public let words: [String]
  /// The place of the list where it stands: `jobs.jsonl:3`, or a file of a folder.
  public let origin: String
  /// Where the mask and the inversion go, in the folder of the batch, if they are kept.
  public var mask: String?
  public var inversion: String?
  /// Its place on the sheet of its line, where that makes several pictures.
  public var sheet: SheetPlace?

  public init(name: String, output: String, words: [String], origin: String) {
    (self.name, self.output, self.words, self.origin) = (name, output, words, origin)
  }

  /// All that it leaves in the folder of the batch.
  var files: [String] { [output, mask, inversion].compactMap { $0 } }
  /// What is there while it is under way.
  var checkpoint: String { "\(name)\(Self.checkpointEnding)" }
  static let checkpointEnding = ".checkpoint"

  /// Of everything that was written for it.
  ///
  /// - Parameter common: words that hold for every job.
  func digest(common: [String]) -> String {
    let text = (common + ["--"] + files + words).map { "\($0.utf8.count):\($0)" }.joined()
    return SHA256.hex(of: Array(text.utf8))
  }
}

/// One picture among those of its line, all of which are shown on one sheet.
public struct SheetPlace: Sendable, Equatable {
  /// Of the sheet, in the folder of the batch.
  public let output: String
  /// From 0, row by row.
  public let index: Int
  public let count: Int
  public let columns: Int

  /// Of a row that shows the values of one list.
  static let mostColumns = 8
}

/// A place of a list: a job, or what could not be understood as one.
public enum BatchEntry: Sendable, Equatable {
  case job(BatchJob)
  case broken(name: String, origin: String, reason: String)

  public var name: String {
    switch self {
    case .job(let job): job.name
    case .broken(let name, _, _): name
    }
  }
}

/// Reads what somebody wrote for one place of a list: a JSON object whose keys are the options of `edit` without their
/// dashes. `prompt` and `seed` may be lists: there is a job for every pair of them then.
struct JobLine {
  /// From 1.
  let number: Int
  let origin: String
  /// What pictures are written as whose names nobody gave: "png".
  var fileExtension = "png"

  /// - Returns: the jobs, or one entry that says why there are none; nothing for an empty line.
  func entries(_ text: [UInt8]) -> [BatchEntry] {
    if text.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) { return [] }
    do {
      let value = try JSONValue(parsing: text, file: origin)
      guard case .object(let object) = value else {
        throw JobFault(reason: "it is \(value.kind), not an object")
      }
      return try jobs(object).map(BatchEntry.job)
    } catch let fault as JobFault {
      return [.broken(name: padded, origin: origin, reason: fault.reason)]
    } catch {
      return [.broken(name: padded, origin: origin, reason: "it is not valid JSON")]
    }
  }

  /// `0003`
  var padded: String { String(repeating: "0", count: max(0, 4 - "\(number)".count)) + "\(number)" }

  private func jobs(_ object: JSONObject) throws(JobFault) -> [BatchJob] {
    var (name, output): (String?, String?) = (nil, nil)
    var (mask, inversion, hasSheet): (String?, String?, Bool) = (nil, nil, true)
    var words: [String] = []
    var lists: [(option: String, values: [String])] = []
    var picture: String?
    for key in object.keys {
      let (option, value) = (key.replacing("_", with: "-"), object[key]!)
      guard Self.mayBeOption(option) else {
        throw JobFault(reason: "\"\(key)\" is no option of an edit")
      }
      switch (option, value) {
      case ("id", _): name = try Self.fileName(text(value, of: key), of: key)
      case ("output", _): output = try Self.fileName(text(value, of: key), of: key)
      case ("save-mask", .string): mask = try Self.fileName(text(value, of: key), of: key)
      case ("save-inversion", .string): inversion = try Self.fileName(text(value, of: key), of: key)
      case ("sheet", .bool(let flag)): hasSheet = flag
      case ("prompt", .array(let values)), ("seed", .array(let values)):
        guard !values.isEmpty else { throw JobFault(reason: "\(key) is an empty list") }
        var texts: [String] = []
        for value in values { texts.append(try text(value, of: key)) }
        lists.append((option, texts))
      case (_, .null): continue
      case (_, .bool(let flag)): words.append(flag ? "--\(option)" : "--no-\(option)")
      case (_, .array(let values)):
        for value in values { words += ["--\(option)", try text(value, of: key)] }
      default:
        let text = try text(value, of: key)
        if ["image", "input", "init-img"].contains(option) { picture = text }
        words += ["--\(option)", text]
      }
    }
    let base = name ?? ([padded] + (picture.flatMap(Self.stem).map { [$0] } ?? [])).joined(separator: "-")
    let products = Self.products(lists)
    let result = output ?? "\(base).\(fileExtension)"
    // A row for every prompt, say, with a picture for every seed.
    let columns = lists.filter { $0.values.count > 1 }.count > 1 ? lists.last!.values.count : products.count
    return products.enumerated().map { i, more in
      let suffix = products.count > 1 ? "-\(i + 1)" : ""
      var job = BatchJob(
        name: base + suffix, output: Self.adding(suffix, to: result), words: words + more, origin: origin)
      job.mask = mask.map { Self.adding(suffix, to: $0) }
      job.inversion = inversion.map { Self.adding(suffix, to: $0) }
      if products.count > 1, hasSheet {
        job.sheet = SheetPlace(
          output: Self.adding("-sheet", to: result), index: i, count: products.count,
          columns: lists.count > 1 ? columns : min(columns, SheetPlace.mostColumns))
      }
      return job
    }
  }

  /// Every combination, the last list varying fastest.
  private static func products(_ lists: [(option: String, values: [String])]) -> [[String]] {
    lists.reduce([[]]) { rows, list in
      rows.flatMap { row in list.values.map { row + ["--\(list.option)", $0] } }
    }
  }

  private func text(_ value: JSONValue, of key: String) throws(JobFault) -> String {
    switch value {
    case .string(let text): return text
    case .integer(let number): return "\(number)"
    case .real(let number):
      // Whole numbers beyond that have lost digits on the way here.
      guard number != number.rounded() || abs(number) < 0x1p53 else {
        throw JobFault(reason: "\(key) is too large for a number of JSON: write it as a string")
      }
      return Int(exactly: number).map(String.init) ?? "\(number)"
    case .null, .bool, .array, .object: throw JobFault(reason: "\(key) cannot be \(value.kind)")
    }
  }

  /// Words that the parser obeys, whatever command they stand in, are no part of a job.
  private static func mayBeOption(_ name: String) -> Bool {
    !name.isEmpty && !name.contains("=") && !["help", "version"].contains(name)
      && !["help-", "experimental-", "generate-completion"].contains { name.hasPrefix($0) }
  }

  /// Files that the batch keeps itself, or a part of it.
  private static func isReserved(_ name: String) -> Bool {
    (name.hasPrefix("batch.") && name.hasSuffix(".journal"))
      || (name.hasPrefix("summary.") && name.hasSuffix(".json")) || name.hasSuffix(BatchJob.checkpointEnding)
  }

  /// A name for a file in one folder.
  static func fileName(_ text: String, of key: String) throws(JobFault) -> String {
    guard !text.isEmpty, text.utf8.count <= 200, !text.hasPrefix("."), !text.hasPrefix("-"),
      !text.contains("/"), text.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 })
    else { throw JobFault(reason: "\(key) cannot be \"\(text)\": give a name for a file in the folder") }
    guard !isReserved(text) else {
      throw JobFault(reason: "\(key) cannot be \"\(text)\": the batch keeps a file of that name itself")
    }
    return text
  }

  /// `photos/ball.jpg` → `ball`; nil where nothing is left that may name a file.
  static func stem(_ path: String) -> String? {
    guard let last = path.split(separator: "/").last else { return nil }
    let stem = last.lastIndex(of: ".").map { $0 > last.startIndex ? last[..<$0] : last } ?? last
    let name = String(String.UnicodeScalarView(stem.unicodeScalars.map { $0.value < 32 ? "_" : $0 }))
    return try? fileName(String(name.prefix(100)), of: "image")
  }

  /// `ball.png` → `ball-2.png`
  private static func adding(_ suffix: String, to name: String) -> String {
    guard let dot = name.lastIndex(of: ".") else { return name + suffix }
    return "\(name[..<dot])\(suffix)\(name[dot...])"
  }
}

/// Why a line is no job.
struct JobFault: Error, Equatable {
  var reason: String
}
