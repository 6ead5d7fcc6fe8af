import Files

/// The value of a property. Arrays other than short ones of integers (vocabularies, as a rule) are only counted.
package enum GGUFValue: Sendable, Equatable {
  case integer(Int)
  case real(Double)
  case flag(Bool)
  case string(String)
  case integers([Int])
  case array(count: Int)
}

/// Reads the tables of a GGUF file from front to back, a piece at a time, and never beyond its end.
struct GGUFCursor {
  private let file: FileReader
  private(set) var position = 0
  /// Bytes of the file from `bufferStart` on.
  private var buffer: [UInt8] = []
  private var bufferStart = 0

  private static let pieceBytes = 1 << 16
  /// What the tables may have in bytes, as those of a safetensors file; vocabularies have a few megabytes.
  private static let longest = SafetensorsHeader.longest
  init(_ file: FileReader) { self.file = file }

  func damaged(_ reason: String) -> WeightFileError { .badHeader(file: file.label, reason: reason) }

  mutating func bytes(_ count: Int) throws(WeightFileError) -> ArraySlice<UInt8> {
    try expect(count)
    if position + count > bufferStart + buffer.count {
      bufferStart = position
      let piece = position..<min(file.count, position + max(count, Self.pieceBytes))
      buffer = try WeightFileError.ofFile { [file] () throws(FileError) in try file.bytes(piece) }
    }
    defer { position += count }
    let start = position - bufferStart
    return buffer[start..<start + count]
  }

  /// - Throws: `file(.truncated)`, `headerTooLong` if there are not so many bytes of tables.
  private func expect(_ count: Int) throws(WeightFileError) {
    guard count <= file.count - position else {
      throw .file(.truncated(file: file.label, needs: position + count, has: file.count))
    }
    guard count <= Self.longest - position else {
      throw .headerTooLong(file: file.label, bytes: UInt64(position + count), limit: Self.longest)
    }
  }

  mutating func integer<I: FixedWidthInteger>(_: I.Type) throws(WeightFileError) -> I {
    let stored = try bytes(MemoryLayout<I>.size)
    return stored.reversed().reduce(0) { $0 << 8 | I(truncatingIfNeeded: $1) }
  }

  mutating func count(limit: Int, of what: String) throws(WeightFileError) -> Int {
    let count = try integer(UInt64.self)
    guard count <= UInt64(limit) else { throw damaged("it announces \(count) \(what)") }
    return Int(count)
  }

  mutating func string() throws(WeightFileError) -> String {
    let length = try count(limit: Self.longest, of: "bytes of text")
    guard let text = String(validating: try bytes(length), as: UTF8.self) else {
      throw damaged("a text that is not UTF-8")
    }
    return text
  }

  /// The name of a tensor or a property (one that names a tensor has its name at the end).
  mutating func name() throws(WeightFileError) -> String {
    let name = try string()
    if let wrong = SafetensorsHeader.refusal(ofName: name) { throw damaged(wrong) }
    return name
  }

  mutating func value(ofType type: UInt32) throws(WeightFileError) -> GGUFValue {
    switch type {
    case 0: .integer(Int(try integer(UInt8.self)))
    case 1: .integer(Int(Int8(bitPattern: try integer(UInt8.self))))
    case 2: .integer(Int(try integer(UInt16.self)))
    case 3: .integer(Int(Int16(bitPattern: try integer(UInt16.self))))
    case 4: .integer(Int(try integer(UInt32.self)))
    case 5: .integer(Int(Int32(bitPattern: try integer(UInt32.self))))
    case 6: .real(Double(Float(bitPattern: try integer(UInt32.self))))
    case 7: .flag(try integer(UInt8.self) != 0)
    case 8: .string(try string())
    case 9: try array()
    case 10: .integer(Int(clamping: try integer(UInt64.self)))
    case 11: .integer(Int(Int64(bitPattern: try integer(UInt64.self))))
    case 12: .real(Double(bitPattern: try integer(UInt64.self)))
    default: throw damaged("a property of the unknown type \(type)")
    }
  }

  private mutating func array() throws(WeightFileError) -> GGUFValue {
    let type = try integer(UInt32.self)
    guard type != 9 else { throw damaged("an array of arrays") }
    let count = try count(limit: Self.longest, of: "elements of an array")
    // Numbers that nobody asks for are passed over.
    if count > 16, let size = Self.size(ofType: type) {
      try expect(count * size)
      position += count * size
      return .array(count: count)
    }
    var integers: [Int] = []
    for _ in 0..<count {
      if case .integer(let value) = try value(ofType: type), count <= 16 { integers.append(value) }
    }
    return integers.count == count && count > 0 ? .integers(integers) : .array(count: count)
  }

  /// Bytes of a value; nil where they differ from one to the next.
  private static func size(ofType type: UInt32) -> Int? {
    switch type {
    case 0, 1, 7: 1
    case 2, 3: 2
    case 4, 5, 6: 4
    case 10, 11, 12: 8
    default: nil
    }
  }
}
