import Foundation

/// Unicode normal form C: characters and their marks in the one order and spelling that CLIP's vocabulary knows.
///
/// Decompose, order the marks, compose (Unicode Standard, 3.11). Foundation knows the parts of a character, but over
/// a whole text it leaves some marks out of order (U+0F75) and takes characters beyond U+FFFF for others with
/// the same last 16 bits, so it is only asked about one character at a time and its answer is checked.
enum TokenizerNormalForm {
  static func compose(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
    let text = Array(text)
    // Below U+0300 there are no marks and every character is composed.
    if text.allSatisfy({ $0.value < 0x300 }) { return text }
    var parts = text.flatMap(decomposed)
    order(&parts)
    return joined(parts)
  }

  /// A character in its smallest parts.
  private static func decomposed(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
    scalar.value < 0xC0 ? [scalar] : Array(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars)
  }

  /// Sorts every run of marks by their class; equal classes stay in their order.
  private static func order(_ scalars: inout [Unicode.Scalar]) {
    var start = 0
    while start < scalars.count {
      guard scalars[start].combiningClass != 0 else {
        start += 1
        continue
      }
      let end = scalars[start...].prefix { $0.combiningClass != 0 }.endIndex
      let sorted = scalars[start..<end].enumerated().sorted {
        ($0.element.combiningClass, $0.offset) < ($1.element.combiningClass, $1.offset)
      }
      scalars.replaceSubrange(start..<end, with: sorted.map(\.element))
      start = end
    }
  }

  /// Joins each character with the marks behind it that nothing blocks from it.
  private static func joined(_ parts: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var out: [Unicode.Scalar] = []
    var starter: Int?
    for scalar in parts {
      let previous = out.last.map(\.combiningClass) ?? 0
      if let i = starter, i == out.count - 1 || previous < scalar.combiningClass && previous != 0,
        let composite = composite(out[i], scalar)
      {
        out[i] = composite
        continue
      }
      if scalar.combiningClass == 0 { starter = out.count }
      out.append(scalar)
    }
    return out
  }

  /// The character that two others make, if there is one.
  private static func composite(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
    if second.value < 0x300 { return nil }
    let parts = decomposed(first) + decomposed(second)
    var text = String.UnicodeScalarView()
    text.append(contentsOf: parts)
    let composed = String(text).precomposedStringWithCanonicalMapping.unicodeScalars
    guard composed.count == 1, let composite = composed.first, decomposed(composite) == parts else {
      return nil
    }
    return composite
  }
}

extension Unicode.Scalar {
  /// 0 for characters that marks attach to.
  fileprivate var combiningClass: UInt8 { properties.canonicalCombiningClass.rawValue }
}
