import Files
import Platform

/// Writes a container: tensors one after another, each in pieces, the table last.
///
/// Holds names and sizes and two pieces, never a tensor: while one is written and hashed, the next is made. The space
/// before the data is kept for a table that is as long as it can become, and what it does not need is filled with
/// spaces.
package final class ContainerWriter {
  private let file: PartialFile
  private let capacity: Int
  private var entries: [(name: String, element: StoredElement, shape: [Int], range: Range<Int>)] = []
  private var hashes: [TensorHash] = []
  private var current: (element: StoredElement, shape: [Int], start: Int)?
  private let thread: SerialThread
  /// What is written, and what is filled.
  private var pieces = (ReusedBuffer(), ReusedBuffer())
  /// End of what is written, from the start of the data.
  private var end = 0
  private var paddings = 0
  private var released = 0

  /// - Parameters:
  ///   - names: of all tensors that may be written.
  ///   - metadataBytes: of the texts that `finish` will be given, at most.
  package init(path: String, names: some Sequence<String>, metadataBytes: Int) throws(WeightFileError) {
    capacity = Self.capacity(names: names, metadataBytes: metadataBytes)
    do throws(SystemRefusal) { thread = try SerialThread() } catch { throw .file(.refused(error)) }
    file = try WeightFileError.ofFile { () throws(FileError) in try PartialFile(path: path) }
  }

  /// The bytes that are kept before the data, as `init` is told of names and texts.
  package static func capacity(names: some Sequence<String>, metadataBytes: Int) -> Int {
    // A row of the table has at most 150 bytes beside its name, as has a padding tensor; a hash has 70.
    let table = names.reduce(0) { $0 + 2 * $1.utf8.count + 400 }
    let alignment = ContainerFile.alignment
    return (table + metadataBytes + 4096 + alignment - 1) / alignment * alignment
  }

  /// The thread writes from the pieces, so it ends before them.
  deinit { try? thread.wait() }

  /// Bytes of all tensors so far.
  package var byteCount: Int { end }
  /// Bytes of the file.
  package var fileByteCount: Int { capacity + end }

  /// Begins a tensor at a multiple of 64.
  package func begin(_ name: String, _ element: StoredElement, _ shape: [Int]) throws {
    precondition(current == nil, "\(name) begins inside another tensor")
    let gap = (ContainerFile.alignment - end % ContainerFile.alignment) % ContainerFile.alignment
    if gap > 0 {
      entries.append(("\(ContainerFile.paddingPrefix)\(paddings)", .u8, [gap], end..<end + gap))
      let zeros = [UInt8](repeating: 0, count: gap)
      thread.run { [file, place = capacity + end] _ in try file.write(zeros, at: place) }
      (paddings, end) = (paddings + 1, end + gap)
    }
    hashes.append(TensorHash(name))
    current = (element, shape, end)
  }

  /// Adds a piece to the tensor.
  ///
  /// - Parameter fill: writes all of its bytes.
  /// - Throws: `FileError` of this piece or one before; whatever `fill` throws.
  package func append(_ byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    try thread.wait(until: 1)
    pieces = (pieces.1, pieces.0)
    let filled = pieces.0.bytes(byteCount)
    try fill(filled)
    // The thread is done with the bytes before they are filled again.
    nonisolated(unsafe) let bytes = UnsafeRawBufferPointer(filled)
    let (place, finished) = (capacity + end, release(byteCount))
    thread.run { [file, hash = hashes.last!] _ in
      try file.write(bytes, at: place)
      hash.update(bytes)
      file.release(finished)
    }
  }

  /// Counts the bytes; what of the file is to be taken from the page cache now. From the start each time: pages that
  /// were on their way to the disk the last time stayed, and where none are it costs nothing.
  private func release(_ byteCount: Int) -> Range<Int> {
    end += byteCount
    guard end - released > 8 << 20 else { return 0..<0 }
    released = end
    return 0..<capacity + end
  }

  package func append(_ bytes: UnsafeRawBufferPointer) throws {
    try append(bytes.count) { $0.copyMemory(from: bytes) }
  }

  package func append(_ values: [Float]) throws {
    try values.withUnsafeBytes { try append($0) }
  }

  /// Ends the tensor that was begun; its bytes have to be those of its shape.
  package func endTensor() {
    guard let tensor = current, let name = hashes.last?.name else {
      preconditionFailure("no tensor was begun")
    }
    precondition(
      tensor.shape.reduce(tensor.element.byteCount, *) == end - tensor.start,
      "\(end - tensor.start) bytes for \(name) \(tensor.shape)")
    entries.append((name, tensor.element, tensor.shape, tensor.start..<end))
    current = nil
  }

  /// Forgets the tensor that was begun; the next takes its place.
  package func cancelTensor() {
    guard let tensor = current else { return }
    end = tensor.start
    released = min(released, end)
    hashes.removeLast()
    current = nil
  }

  /// Writes the table and puts the file in place.
  ///
  /// - Returns: what it took to bring to disk what was not there yet.
  @discardableResult package func finish(metadata: [String: String]) throws -> Duration {
    try thread.wait()
    var metadata = metadata
    metadata[ContainerFile.formatKey] =
      metadata[ContainerFile.Table.activations.rawValue] == nil
      ? ContainerFile.version : ContainerFile.wideVersion
    let hashes = self.hashes.map { "\"\($0.name)\":\"\($0.digits)\"" }
    metadata[ContainerFile.Table.hashes.rawValue] = "{\(hashes.joined(separator: ","))}"
    var table = SafetensorsTable(metadata)
    for entry in entries { table.add(entry.name, entry.element, entry.shape, entry.range) }
    try file.write(table.header(alignedTo: ContainerFile.alignment, capacity: capacity), at: 0)
    return try file.commit()
  }
}

/// The hash of a tensor that is being written.
///
/// `@unchecked Sendable`: it is updated by the writing thread only, and read when that has nothing left to do.
private final class TensorHash: @unchecked Sendable {
  let name: String
  private var hash = SHA256()

  init(_ name: String) { self.name = name }

  func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bytes) }

  var digits: String {
    let hash = hash
    return hash.finalize()
  }
}
