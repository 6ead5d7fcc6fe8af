/// What may not reach a terminal as it is: a file's name or text could move its cursor, recolour it, hide or reverse
/// what is said.
extension Unicode.Scalar {
  /// Control characters (C0, DEL, C1), marks that change the direction of writing, and separators of lines.
  fileprivate var isUnprintable: Bool {
    switch value {
    case 0...0x1F, 0x7F...0x9F, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}

extension String {
  /// The text with `\n`, `\t`, `\r` and `\u{1b}` for characters that a terminal would obey.
  ///
  /// - Parameter keepsLines: leaves line feeds, for a text whose lines are the program's own.
  func printable(keepsLines: Bool = false) -> String {
    escaped { scalar in
      switch scalar {
      case "\n": keepsLines ? nil : "\\n"
      case "\t": "\\t"
      case "\r": "\\r"
      default: "\\u{\(String(scalar.value, radix: 16))}"
      }
    }
  }

  /// JSON that says the same. Its encoder escapes nothing above U+001F; line feeds are those between its fields.
  var printableJSON: String {
    escaped { scalar in
      guard scalar != "\n" else { return nil }
      let digits = String(scalar.value, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
  }

  /// - Parameter escape: what an unprintable scalar becomes; nil leaves it.
  private func escaped(_ escape: (Unicode.Scalar) -> String?) -> String {
    guard unicodeScalars.contains(where: \.isUnprintable) else { return self }
    var text = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if scalar.isUnprintable, let replacement = escape(scalar) {
        text.append(contentsOf: replacement.unicodeScalars)
      } else {
        text.append(scalar)
      }
    }
    return String(text)
  }
}
