import ArgumentParser
import ImageFiles
import Pentimento

struct SizeOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Working size: one number for the side of a square of that area, or WIDTHxHEIGHT.", valueName: "pixels")
  )
  var size: String?

  /// Nil where none was given.
  var request: WorkingSize.Request? {
    get throws { try size.map(WorkingSize.Request.init(parsing:)) }
  }
}

/// The working size in one option or in two.
struct ExtentOptions: ParsableArguments {
  @OptionGroup var whole: SizeOptions

  @Option(
    name: [.customShort("W"), .customLong("width")], parsing: .unconditional,
    help: ArgumentHelp("Width of the working size, with --height: the same as --size.", valueName: "pixels"))
  var width: Int?

  @Option(
    name: [.customShort("H"), .customLong("height")], parsing: .unconditional,
    help: ArgumentHelp("Height of the working size, with --width: the same as --size.", valueName: "pixels"))
  var height: Int?

  func validate() throws {
    guard width != nil || height != nil else { return }
    guard width != nil, height != nil else {
      throw ValidationError("--width and --height go together: give both, or --size")
    }
    guard whole.size == nil else {
      throw ValidationError("--size and --width with --height say the same: give one of them")
    }
  }

  /// Nil where none was given.
  var request: WorkingSize.Request? {
    get throws {
      guard let width, let height else { return try whole.request }
      return try WorkingSize.Request(parsing: "\(width)x\(height)")
    }
  }
}
