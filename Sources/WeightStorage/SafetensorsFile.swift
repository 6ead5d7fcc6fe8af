import Files
import Synchronization
import Tensors

/// A safetensors file, validated in full when it is opened; only its table is kept in memory.
///
/// After that a look-up cannot fail but for a name that is not there, and a read only if the disk fails or the file
/// shrinks (`truncated`). Opening reads the header and nothing of the data, so it costs the same for every size.
package final class SafetensorsFile: TensorFile {
  package let reader: FileReader
  package let metadata: [String: String]
  package var texts: [String: String] { metadata }
  /// In the order of the data.
  package let tensors: [TensorEntry]
  private let positions: [String: Int]
  /// The file in memory, if it is a container: its weights are used where they lie.
  package let mapping: FileMapping?
  package let stamp: FileStamp
  /// The container as it was when it was last compared with its hashes (`verify`).
  let verified = Mutex<FileStamp?>(nil)

  package init(path: String, label: String? = nil) throws(WeightFileError) {
    reader = try WeightFileError.ofFile { () throws(FileError) in try FileReader(path: path, label: label) }
    stamp = try WeightFileError.ofFile { [reader] () throws(FileError) in try FileStamp(of: reader) }
    let header = try SafetensorsHeader(of: reader)
    metadata = header.metadata
    tensors = header.tensors
    positions = Dictionary(uniqueKeysWithValues: header.tensors.enumerated().map { ($1.name, $0) })
    mapping = try WeightFileError.ofFile { [metadata, reader] () throws(FileError) in
      ContainerFile.isContainer(metadata) ? try FileMapping(reader) : nil
    }
  }

  package subscript(name: String) -> TensorEntry? { positions[name].map { tensors[$0] } }

  // MARK: Whole tensors

  package func hostTensor(_ name: String, shape: [Int]? = nil) throws(WeightFileError) -> HostTensor {
    HostTensor(shape: try tensor(name).shape, values: try floats(name, shape: shape))
  }

  /// Values of a U8 tensor.
  package func bytes(_ name: String, shape: [Int]? = nil) throws(WeightFileError) -> [UInt8] {
    let tensor = try tensor(name, shape: shape)
    guard tensor.element == .u8 else { throw wrongElement(tensor, wanted: "U8") }
    return try bytes(of: tensor)
  }
}

extension TensorFile {
  /// A tensor as it is stored.
  package func bytes(of tensor: TensorEntry) throws(WeightFileError) -> [UInt8] { try bytes(tensor.range) }

  /// Any bytes of the file.
  func bytes(_ range: Range<Int>) throws(WeightFileError) -> [UInt8] {
    try WeightFileError.ofFile { () throws(FileError) in try reader.bytes(range) }
  }

  /// Values of an I64 or I32 tensor.
  package func integers(_ name: String, shape: [Int]? = nil) throws(WeightFileError) -> [Int64] {
    let tensor = try tensor(name, shape: shape)
    let bytes = try bytes(of: tensor)
    return switch tensor.element {
    case .i64: bytes.elements(UInt64.self) { Int64(bitPattern: $0) }
    case .i32: bytes.elements(UInt32.self) { Int64(Int32(bitPattern: $0)) }
    default: throw wrongElement(tensor, wanted: "I64 or I32")
    }
  }
}

extension [UInt8] {
  /// Values of a whole tensor.
  func floats(_ element: ElementType) -> [Float] {
    switch element {
    case .f32: elements(UInt32.self) { Float(bitPattern: $0) }
    case .f16: elements(UInt16.self) { Float(Float16(bitPattern: $0)) }
    case .bf16: elements(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    case .s8, .i32: preconditionFailure("\(element) is no element of weights")
    }
  }

  /// Little-endian words, each turned into a value. Any alignment.
  fileprivate func elements<Word: FixedWidthInteger, Value>(_: Word.Type, _ value: (Word) -> Value) -> [Value]
  {
    withUnsafeBytes { buffer in
      let size = MemoryLayout<Word>.size
      return (0..<buffer.count / size).map {
        value(Word(littleEndian: buffer.loadUnaligned(fromByteOffset: $0 * size, as: Word.self)))
      }
    }
  }
}
