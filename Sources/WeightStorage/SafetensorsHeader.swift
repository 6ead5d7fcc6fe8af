import Files
import JSON

/// The table at the start of a safetensors file: 8 bytes of length (little endian), then JSON
///
///     {"__metadata__": {string: string}, name: {"dtype": …, "shape": […], "data_offsets": [begin, end]}, …}
///
/// then the data, to which the offsets are relative. `init` validates all of it against the file's size: the data
/// is covered exactly, by ranges that neither overlap nor leave holes and that fit their shapes.
struct SafetensorsHeader {
  /// Bytes of the text. The format allows 100 MB; the longest table of a model that is read here is that of a container
  /// of SDXL with two vocabularies, 9 MB.
  static let longest = 12_000_000
  /// Tensors, and texts beside them. A container of SDXL has 5,000, a LoRA of all its layers 4,000.
  static let most = 20_000
  /// Bytes of a tensor's name, and dots in it.
  static let longestName = 256, mostDots = 32

  var metadata: [String: String] = [:]
  /// In the order of the data.
  var tensors: [TensorEntry] = []

  /// A row of the table before anything is known to be true.
  private struct Row {
    var name: String, dtype = "", shape: [Int] = [], offsets: [Int] = []
  }

  init(of file: FileReader) throws(WeightFileError) {
    let length = try Self.length(in: file)
    let text = try WeightFileError.ofFile { () throws(FileError) in try file.bytes(8..<8 + length) }
    let rows = try scanTable(text, file.label)
    tensors.reserveCapacity(rows.count)
    for row in rows { tensors.append(try Self.entry(row, dataStart: 8 + length, file.label)) }
    tensors.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    try checkCoverage(dataStart: 8 + length, file)
  }

  // MARK: Steps

  /// The length of the JSON text, at most `longest` and inside the file.
  private static func length(in file: FileReader) throws(WeightFileError) -> Int {
    guard file.count > 0 else {
      throw .notAWeightFile(file: file.label, reason: "it is empty; download it again")
    }
    let start = try WeightFileError.ofFile { () throws(FileError) in try file.bytes(0..<min(file.count, 64)) }
    if let refusal = otherKind(start, file.label) { throw refusal }
    guard file.count > 8 else { throw .file(.truncated(file: file.label, needs: 10, has: file.count)) }
    guard start[8] == UInt8(ascii: "{") else {
      throw .notAWeightFile(
        file: file.label, reason: "its table of tensors is missing; check what was downloaded")
    }
    let length = start[..<8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(longest) else {
      throw .headerTooLong(file: file.label, bytes: length, limit: longest)
    }
    guard 8 + Int(length) <= file.count else {
      throw .file(.truncated(file: file.label, needs: 8 + Int(length), has: file.count))
    }
    return Int(length)
  }

  /// Files that are often found under a weight file's name.
  private static func otherKind(_ start: [UInt8], _ file: String) -> WeightFileError? {
    // A safetensors table of just this length may begin like a pickle, but only it has the brace.
    let isPickle = start.starts(with: [0x50, 0x4B, 3, 4]) || start.starts(with: [0x80, 2])
    if isPickle, start.count <= 8 || start[8] != UInt8(ascii: "{") { return .pickle(file: file) }
    if start.starts(with: "GGUF".utf8) {
      return .notAWeightFile(file: file, reason: "it is GGUF; name a safetensors file here")
    }
    if start.starts(with: "version https://git-lfs".utf8) {
      return .notAWeightFile(
        file: file, reason: "it is a Git LFS pointer; fetch the file itself with git lfs pull")
    }
    if start.allSatisfy({ 0x20..<0x7F ~= $0 || 0x09...0x0D ~= $0 }) {
      return .notAWeightFile(
        file: file,
        reason: "it is text, perhaps what a server said instead of sending it; read it, and download the model again")
    }
    let other = otherStarts.first { start.starts(with: $0.bytes) }
    return other.map { .notAWeightFile(file: file, reason: $0.reason) }
  }

  /// What the first bytes say.
  private static let otherStarts: [(bytes: [UInt8], reason: String)] = [
    ([0x1F, 0x8B], archive), ([0x37, 0x7A, 0xBC, 0xAF], archive), (Array("Rar!".utf8), archive),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A], archive), ([0x28, 0xB5, 0x2F, 0xFD], archive),
    ([0x89, 0x50, 0x4E, 0x47], picture), ([0xFF, 0xD8, 0xFF], picture),
    ([0x89, 0x48, 0x44, 0x46], "it is HDF5; use the model's .safetensors files"),
  ]
  private static let archive = "it is an archive; unpack it, and name the file of tensors in it"
  private static let picture = "it is a picture; name the model here, and the picture with its own option"

  /// The text's memory is given back with this call.
  private mutating func scanTable(_ text: [UInt8], _ file: String) throws(WeightFileError) -> [Row] {
    var scanner = JSONScanner(text)
    do throws(JSONError) { return try scanTable(&scanner) } catch {
      throw WeightFileError(error, header: file)
    }
  }

  private mutating func scanTable(_ scanner: inout JSONScanner) throws(JSONError) -> [Row] {
    var rows: [Row] = []
    var names: Set<String> = []
    try scanner.open("{")
    while let name = try scanner.nextKey(&names) {
      guard names.count <= Self.most else { throw scanner.failure("more than \(Self.most) tensors") }
      if name == "__metadata__" {
        try scanMetadata(&scanner)
      } else {
        if let wrong = Self.refusal(ofName: name) { throw scanner.failure(wrong) }
        rows.append(try Self.scanRow(named: name, &scanner))
      }
    }
    try scanner.expectEnd()
    return rows
  }

  private mutating func scanMetadata(_ scanner: inout JSONScanner) throws(JSONError) {
    try scanner.open("{")
    while let key = try scanner.nextKey(isFirst: metadata.isEmpty) {
      guard metadata.updateValue(try scanner.string(), forKey: key) == nil else { throw scanner.twice(key) }
      guard metadata.count <= Self.most else { throw scanner.failure("more than \(Self.most) texts") }
    }
  }

  /// Why a name is none of a tensor; nil if it may be one. What is made of names later takes them apart at their dots.
  static func refusal(ofName name: String) -> String? {
    guard name.utf8.count <= longestName else {
      return "a name of \(name.utf8.count) bytes, more than \(longestName)"
    }
    let dots = name.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: ".") ? 1 : 0) }
    return dots > mostDots ? "a name of \(dots + 1) parts, more than \(mostDots + 1)" : nil
  }

  private static func scanRow(named name: String, _ scanner: inout JSONScanner) throws(JSONError) -> Row {
    var row = Row(name: name)
    var keys: Set<String> = []
    try scanner.open("{")
    while let key = try scanner.nextKey(&keys) {
      switch key {
      case "dtype": row.dtype = try scanner.string()
      case "shape": row.shape = try scanner.sizes()
      case "data_offsets": row.offsets = try scanner.sizes()
      default: throw scanner.failure("tensor \(name) has an unknown property \"\(key)\"")
      }
    }
    guard keys.count == 3 else { throw scanner.failure("tensor \(name) lacks dtype, shape or data_offsets") }
    guard row.offsets.count == 2 else { throw scanner.failure("tensor \(name) has not two data_offsets") }
    return row
  }

  /// A row whose type is known and whose bytes fit its shape; not yet compared with the file's size.
  private static func entry(_ row: Row, dataStart: Int, _ file: String) throws(WeightFileError) -> TensorEntry
  {
    guard let element = StoredElement(rawValue: row.dtype), !element.isBlock else {
      throw .unknownElement(file: file, tensor: row.name, dtype: row.dtype)
    }
    var needs = element.byteCount
    for size in row.shape {
      let (product, overflow) = needs.multipliedReportingOverflow(by: size)
      guard !overflow else { throw .sizeOverflow(file: file, tensor: row.name, shape: row.shape) }
      needs = product
    }
    let (begin, end) = (row.offsets[0], row.offsets[1])
    guard begin <= end, end <= Int.max - dataStart else {
      throw .badOffsets(file: file, tensor: row.name, begin: begin, end: end)
    }
    guard end - begin == needs else {
      throw .sizeMismatch(file: file, tensor: row.name, needs: needs, has: end - begin)
    }
    return TensorEntry(
      name: row.name, element: element, shape: row.shape, range: dataStart + begin..<dataStart + end)
  }

  /// Every byte after the header belongs to exactly one tensor.
  private func checkCoverage(dataStart: Int, _ file: FileReader) throws(WeightFileError) {
    var end = dataStart
    var last = ""
    for tensor in tensors {
      if tensor.range.lowerBound < end { throw .overlap(file: file.label, tensor: tensor.name, other: last) }
      if tensor.range.lowerBound > end {
        throw .hole(file: file.label, before: tensor.name, bytes: tensor.range.lowerBound - end)
      }
      (end, last) = (tensor.range.upperBound, tensor.name)
    }
    if end > file.count { throw .file(.truncated(file: file.label, needs: end, has: file.count)) }
    if end < file.count { throw .trailingBytes(file: file.label, bytes: file.count - end) }
  }
}

extension WeightFileError {
  /// A failure of the scanner in a header.
  fileprivate init(_ error: JSONError, header file: String) {
    switch error.reason {
    case .duplicateKey(let key): self = .duplicateKey(file: file, key: key)
    case .syntax(let text): self = .badHeader(file: file, reason: "\(text) at byte \(error.offset)")
    }
  }
}
