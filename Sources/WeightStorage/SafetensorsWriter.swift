import FoundationEssentials
import Glibc

/// A tensor to be written: its bytes are little endian, in row-major order of `shape`.
package struct StoredTensor: Sendable, Equatable {
  package var element: StoredElement
  package var shape: [Int]
  package var bytes: [UInt8]

  package init(element: StoredElement, shape: [Int], bytes: [UInt8]) {
    precondition(
      shape.reduce(element.byteCount, *) == bytes.count, "\(bytes.count) bytes for \(element) \(shape)")
    self.element = element
    self.shape = shape
    self.bytes = bytes
  }

  package init(_ values: [Float], shape: [Int]) {
    self.init(element: .f32, shape: shape, bytes: littleEndian(values.map(\.bitPattern)))
  }

  package init(_ values: [Float16], shape: [Int]) {
    self.init(element: .f16, shape: shape, bytes: littleEndian(values.map(\.bitPattern)))
  }

  package init(_ values: [Int64], shape: [Int]) {
    self.init(element: .i64, shape: shape, bytes: littleEndian(values))
  }

  package init(_ values: [UInt8], shape: [Int]) {
    self.init(element: .u8, shape: shape, bytes: values)
  }
}

private func littleEndian<Word: FixedWidthInteger>(_ words: [Word]) -> [UInt8] {
  words.map(\.littleEndian).withUnsafeBytes { Array($0) }
}

/// The system's call, which `SafetensorsWriter.write` hides inside that type.
private func writeSome(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
  write(descriptor, bytes.baseAddress, bytes.count)
}

/// Writes safetensors files: wide elements first, then by name, so that equal tensors make equal files and every
/// tensor is aligned to its element.
package enum SafetensorsWriter {
  /// Writes to a file beside `path` and puts it in place when all of it is on disk: whoever opens `path` sees the
  /// old file or the new one.
  package static func write(
    _ tensors: [String: StoredTensor], metadata: [String: String] = [:], to path: String
  ) throws(WeightFileError) {
    let order = tensors.sorted { a, b in
      (b.value.element.byteCount, a.key) < (a.value.element.byteCount, b.key)
    }
    let header = header(order.map { ($0.key, $0.value) }, metadata)
    let partial = "\(path).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).partial"
    let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw failure(path) }
    do throws(WeightFileError) {
      defer { close(descriptor) }
      try append(header, to: descriptor, path)
      for (_, tensor) in order { try append(tensor.bytes, to: descriptor, path) }
      guard fsync(descriptor) == 0 else { throw failure(path) }
    } catch {
      unlink(partial)
      throw error
    }
    guard rename(partial, path) == 0 else {
      let error = failure(path)
      unlink(partial)
      throw error
    }
    syncFolder(of: path)
  }

  /// Length and JSON text, padded with spaces so that the data starts at a multiple of 8.
  private static func header(_ tensors: [(String, StoredTensor)], _ metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for (name, tensor) in tensors {
      precondition(name != "__metadata__", "a tensor cannot be called __metadata__")
      let end = offset + tensor.bytes.count
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(quoted(name)):{\"dtype\":\"\(tensor.element.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    while text.count % 8 != 0 { text.append(0x20) }
    return littleEndian([UInt64(text.count)]) + text
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": out += "\\\(scalar)"
      case "\0"..<" ": out += "\\u00\(scalar.value < 16 ? "0" : "")\(String(scalar.value, radix: 16))"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }

  private static func append(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(WeightFileError) {
    var done = 0
    while done < bytes.count {
      let n = bytes.withUnsafeBytes { writeSome(descriptor, UnsafeRawBufferPointer(rebasing: $0[done...])) }
      if n > 0 { done += n } else if errno != EINTR { throw failure(path) }
    }
  }

  /// Makes the new name last through a power cut too. The file itself is safe already, so failing is no error.
  private static func syncFolder(of path: String) {
    let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
  }

  private static func failure(_ path: String) -> WeightFileError {
    .writeFailed(file: path, reason: String(cString: strerror(errno)))
  }
}
