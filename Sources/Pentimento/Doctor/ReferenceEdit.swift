import Editing
import Files
import FoundationEssentials
import Kernels
import Pictures

/// One small edit of a made-up picture, whose result with the embedded model is known: an inversion with its gradients,
/// and a sampling to another prompt, at 64 pixels.
public struct ReferenceEdit: Sendable {
  /// How the result compares with the known one.
  public enum Agreement: Sendable, Equatable {
    /// Bit for bit.
    case same
    /// Rounded otherwise somewhere: the means of blocks of 8×8 pixels differ by so many levels of 255 at most.
    case close(levels: Int)
    /// Another picture.
    case other(levels: Int)
    /// The model is another one than the program comes with.
    case unknown
  }

  public let picture: Picture
  public let agreement: Agreement
  public let seconds: Double

  /// SHA-256 of the picture's bytes.
  public var digest: String { SHA256.hex(of: picture.pixels) }

  /// Makes the edit within the memory that the system leaves.
  ///
  /// - Throws: as preparing and running an edit does: `RequestError.overBudget`, `SystemRefusal`, `WeightFileError`.
  public init(_ model: Model, threads: Int) async throws {
    try await self.init(Editor(model: model, threads: threads))
  }

  package init(_ editor: Editor) async throws {
    let clock = ContinuousClock.now
    picture = try await editor.prepare(Self.request).run().working
    seconds = (ContinuousClock.now - clock).seconds
    let isKnown = try editor.identity.value() == Self.embeddedModel
    agreement = isKnown ? Self.agreement(of: picture) : .unknown
  }

  // MARK: What is asked for

  package static let side = 64

  /// - Throws: never, as long as the method has these settings.
  package static var request: EditRequest {
    get throws {
      let pixels = (0..<side * side).flatMap { i -> [UInt8] in
        let (x, y) = (i % side, i / side)
        let isInside = (x - 32) * (x - 32) + (y - 36) * (y - 36) < 400
        return isInside ? [200, 40, UInt8(40 + y)] : [UInt8(60 + x), 150, UInt8(255 - 2 * y)]
      }
      var request = EditRequest(
        try EditMethod(named: "null-text", settings: ["steps": .number(5), "inner-steps": .number(2)]))
      request.picture = Picture(width: side, height: side, pixels: pixels)
      request.sourcePrompt = "a red ball on grass under a blue sky"
      request.prompt = "a green ball on grass under a blue sky"
      request.size = .side(side)
      return request
    }
  }

  // MARK: What is known

  /// `Model.identity` of the embedded model.
  private static let embeddedModel = "9cf7732e123f6167d4b4e8703ab60fa14af68b0fbfdda5a3e17fdb2579347ce5"

  /// SHA-256 of the result: of every set that fuses products with sums, and here of those that do not as well.
  private static let knownDigest = "703dd0d3f2348efe1b341df3076918eab392a251a911d6efcd1d5e4f08fef1a4"

  /// Its rounded means of red, green and blue over blocks of 8×8 pixels, row by row.
  private static let knownMeans = bytes(
    """
    3079e42e71eb3675ee4179ee4c7fef5889ef6c96ed7ba0e92e76d43174dc3875df4775dd517bde5c88e383a4e7a2b8eb\
    2d74c03570c45061b077458189417a8658939db1deb4c0e13571a74f639a84447296376097325a973558aca3bba8abc2\
    41729f66628da04166a8385ca233579b39588d7186898ba75079996e6e93a7436bad3d64a740649948676552745c6793\
    577b8f69749098517aaa3e6aa745699e64807472946e80aa5c7c8b637a8d6e748d716889786e8f88889fa2a6b69397b0
    """)

  /// Another order of sums moves single pixels by a level; a wrong kernel makes another picture.
  private static let mostLevels = 2

  /// - Parameter picture: of 64×64 pixels.
  package static func agreement(of picture: Picture) -> Agreement {
    if SHA256.hex(of: picture.pixels) == knownDigest { return .same }
    let levels = zip(means(of: picture), knownMeans).map { abs($0 - Int($1)) }.max()!
    return levels <= mostLevels ? .close(levels: levels) : .other(levels: levels)
  }

  private static func means(of picture: Picture) -> [Int] {
    let block = 8
    var sums = [Int](repeating: 0, count: side / block * (side / block) * 3)
    for (i, value) in picture.pixels.enumerated() {
      let (pixel, channel) = (i / 3, i % 3)
      let (x, y) = (pixel % side / block, pixel / side / block)
      sums[(y * (side / block) + x) * 3 + channel] += Int(value)
    }
    return sums.map { ($0 + block * block / 2) / (block * block) }
  }

  private static func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = hexadecimal.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(16 * digits[$0] + digits[$0 + 1]) }
  }
}
