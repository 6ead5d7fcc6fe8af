import Tensors

/// How the elements of a tensor are stored: one by one, or (in GGUF) in blocks that share their scales. The raw
/// value is the formats' own name.
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
  // Blocks.
  case q4_0 = "Q4_0"
  case q4_1 = "Q4_1"
  case q5_0 = "Q5_0"
  case q5_1 = "Q5_1"
  case q8_0 = "Q8_0"
  case q4K = "Q4_K"
  case q5K = "Q5_K"
  case q6K = "Q6_K"

  /// How a weight of this type is stored.
  package init(_ element: ElementType) {
    self =
      switch element {
      case .f32: .f32
      case .f16: .f16
      case .bf16: .bf16
      case .s8: .i8
      case .i32: .i32
      }
  }

  /// Elements of a block; 1 where every element stands for itself.
  package var blockLength: Int {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
    case .q4K, .q5K, .q6K: 256
    default: 1
    }
  }

  /// Bytes of a block.
  package var blockBytes: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .f8e4m3, .f8e5m2, .i8, .u8, .bool: 1
    case .q4_0: 2 + 16
    case .q4_1: 4 + 16
    case .q5_0: 2 + 4 + 16
    case .q5_1: 4 + 4 + 16
    case .q8_0: 2 + 32
    case .q4K: 4 + 12 + 128
    case .q5K: 4 + 12 + 32 + 128
    case .q6K: 128 + 64 + 16 + 2
    }
  }

  package var isBlock: Bool { blockLength > 1 }

  /// Bytes of one element that stands for itself.
  package var byteCount: Int {
    precondition(!isBlock, "\(rawValue) has no bytes of one element")
    return blockBytes
  }

  /// What a network reads it as; nil for elements that are no weights here. Nothing is rounded but 64 bits, to 32: eight bits of
  /// floating point become sixteen (`Float8`), blocks become 32, for a product of a Float16 scale and 4 to 8 bits has up to 19
  /// significant bits, of which Float16 would keep 11. Whole numbers of 8 bits are weights in the panels of a container
  /// only.
  package var weight: ElementType? {
    switch self {
    case .f32, .f64: .f32
    case .f16, .f8e4m3, .f8e5m2: .f16
    case .bf16: .bf16
    case .i8: .s8
    default: isBlock ? .f32 : nil
    }
  }
}
