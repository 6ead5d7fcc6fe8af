@_spi(_Unicode) import Swift

/// Unicode normal form C (Unicode Standard, 3.11): characters and their marks in the one order and spelling that
/// CLIP's vocabulary knows.
///
/// The standard library has it behind a programming interface for Foundation's use. Foundation itself would add 40 MB
/// of tables to the program, and its own way over a whole text leaves some marks out of order (U+0F75).
enum TokenizerNormalForm {
  static func compose(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
    let text = Array(text)
    // Below U+0300 there are no marks and every character is composed.
    if text.allSatisfy({ $0.value < 0x300 }) { return text }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: text)
    return Array(String(view)._nfc)
  }
}
