/// Writes a container: tensors one after another, each in pieces, the table last.
///
/// Holds names and sizes, never a tensor. The space before the data is kept for a table that is as long as it can
/// become, and what it does not need is filled with spaces.
package final class ContainerWriter {
  private let file: PartialFile
  private let capacity: Int
  private var entries: [(name: String, element: StoredElement, shape: [Int], range: Range<Int>)] = []
  private var hashes: [(name: String, hash: String)] = []
  private var current: (name: String, element: StoredElement, shape: [Int], start: Int, hash: SHA256)?
  /// End of what is written, from the start of the data.
  private var end = 0
  private var paddings = 0
  private var released = 0

  /// - Parameters:
  ///   - names: of all tensors that may be written.
  ///   - metadataBytes: of the texts that `finish` will be given, at most.
  package init(path: String, names: some Sequence<String>, metadataBytes: Int) throws(WeightFileError) {
    // A row of the table has at most 150 bytes beside its name, as has a padding tensor; a hash has 70.
    let table = names.reduce(0) { $0 + 2 * $1.utf8.count + 400 }
    let alignment = ContainerFile.alignment
    capacity = (table + metadataBytes + 4096 + alignment - 1) / alignment * alignment
    file = try PartialFile(path: path)
  }

  /// Bytes of all tensors so far.
  package var byteCount: Int { end }
  /// Bytes of the file.
  package var fileByteCount: Int { capacity + end }

  /// Begins a tensor at a multiple of 64.
  package func begin(_ name: String, _ element: StoredElement, _ shape: [Int]) throws(WeightFileError) {
    precondition(current == nil, "\(name) begins inside another tensor")
    let gap = (ContainerFile.alignment - end % ContainerFile.alignment) % ContainerFile.alignment
    if gap > 0 {
      try file.write([UInt8](repeating: 0, count: gap), at: capacity + end)
      entries.append(("\(ContainerFile.paddingPrefix)\(paddings)", .u8, [gap], end..<end + gap))
      (paddings, end) = (paddings + 1, end + gap)
    }
    current = (name, element, shape, end, SHA256())
  }

  package func append(_ bytes: UnsafeRawBufferPointer) throws(WeightFileError) {
    try file.write(bytes, at: capacity + end)
    current!.hash.update(bytes)
    end += bytes.count
    let unreleased = 8 << 20
    guard end - released > unreleased else { return }
    file.release(capacity + max(released - unreleased, 0)..<capacity + end)
    released = end
  }

  package func append(_ values: [Float]) throws(WeightFileError) {
    var failure: WeightFileError?
    values.withUnsafeBytes { bytes in
      do throws(WeightFileError) { try append(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Ends the tensor that was begun; its bytes have to be those of its shape.
  package func endTensor() {
    guard let tensor = current else { preconditionFailure("no tensor was begun") }
    precondition(
      tensor.shape.reduce(tensor.element.byteCount, *) == end - tensor.start,
      "\(end - tensor.start) bytes for \(tensor.name) \(tensor.shape)")
    entries.append((tensor.name, tensor.element, tensor.shape, tensor.start..<end))
    hashes.append((tensor.name, tensor.hash.finalize()))
    current = nil
  }

  /// Writes the table and puts the file in place.
  package func finish(metadata: [String: String]) throws(WeightFileError) {
    var metadata = metadata
    metadata[ContainerFile.formatKey] = ContainerFile.version
    let hashes = self.hashes.map { "\"\($0.name)\":\"\($0.hash)\"" }
    metadata[ContainerFile.Table.hashes.rawValue] = "{\(hashes.joined(separator: ","))}"
    var table = SafetensorsTable(metadata)
    for entry in entries { table.add(entry.name, entry.element, entry.shape, entry.range) }
    try file.write(table.header(alignedTo: ContainerFile.alignment, capacity: capacity), at: 0)
    try file.commit()
  }
}
