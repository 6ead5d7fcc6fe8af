extension StoredElement {
  /// The element of a number in GGUF's tables (ggml's `ggml_type`); nil for those that no model here has.
  init?(ggmlType number: UInt32) {
    switch number {
    case 0: self = .f32
    case 1: self = .f16
    case 2: self = .q4_0
    case 3: self = .q4_1
    case 6: self = .q5_0
    case 7: self = .q5_1
    case 8: self = .q8_0
    case 12: self = .q4K
    case 13: self = .q5K
    case 14: self = .q6K
    case 28: self = .f64
    case 30: self = .bf16
    default: return nil
    }
  }
}
