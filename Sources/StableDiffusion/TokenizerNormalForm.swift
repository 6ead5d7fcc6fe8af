@_spi(_Unicode) import Swift

/// Unicode normal form C (Unicode Standard, 3.11): characters and their marks in the one order and spelling that
/// CLIP's vocabulary knows.
///
/// The standard library has it behind a programming interface for Foundation's use; Foundation itself would add 40 MB
/// of tables to the program.
enum TokenizerNormalForm {
  static func compose(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
    let text = Array(text)
    // Below U+0300 there are no marks and every character is composed.
    if text.allSatisfy({ $0.value < 0x300 }) { return text }
    var view = String.UnicodeScalarView()
    for scalar in text { view.append(contentsOf: doubleMarks[scalar] ?? [scalar]) }
    return Array(String(view)._nfc)
  }

  /// The Tibetan vowel signs that are two marks in one character. They count as no marks themselves, and the standard
  /// library orders marks before it has taken them apart.
  private static let doubleMarks: [Unicode.Scalar: [Unicode.Scalar]] = [
    "\u{0F73}": ["\u{0F71}", "\u{0F72}"],
    "\u{0F75}": ["\u{0F71}", "\u{0F74}"],
    "\u{0F81}": ["\u{0F71}", "\u{0F80}"],
  ]
}
