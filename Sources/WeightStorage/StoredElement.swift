import Tensors

/// How one element of a tensor is stored in a safetensors file; the raw value is the format's own name.
package enum StoredElement: String, Sendable, Hashable, CaseIterable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case f8e4m3 = "F8_E4M3"
  case f8e5m2 = "F8_E5M2"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u64 = "U64"
  case u32 = "U32"
  case u16 = "U16"
  case u8 = "U8"
  case bool = "BOOL"

  /// Bytes of one element.
  package var byteCount: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .f8e4m3, .f8e5m2, .i8, .u8, .bool: 1
    }
  }

  /// What a network reads it as; nil for elements that are no weights here.
  package var weight: ElementType? {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    default: nil
    }
  }
}

/// Where a tensor lies in its file. Made by validation, so every range is inside the file and fits the shape.
package struct TensorEntry: Sendable, Equatable {
  package let name: String
  package let element: StoredElement
  package let shape: [Int]
  /// Bytes from the start of the file.
  package let range: Range<Int>

  /// Elements; a tensor without dimensions has one.
  package var count: Int { range.count / element.byteCount }
  /// The first dimension; a tensor without dimensions is one row.
  package var rows: Int { shape.first ?? 1 }
  package var rowBytes: Int { rows == 0 ? 0 : range.count / rows }
}
