/// A LoRA file and how strongly it acts.
public struct LoRAReference: Sendable, Equatable, CustomStringConvertible {
  public var path: String
  public var factor: Float

  public init(path: String, factor: Float = 1) { (self.path, self.factor) = (path, factor) }

  /// `FILE` or `FILE:0.8`.
  ///
  /// - Throws: `RequestError.settingValue` for a factor that is not finite.
  public init(parsing text: String) throws {
    (path, factor) = (text, 1)
    guard let colon = text.lastIndex(of: ":") else { return }
    guard let factor = Float(text[text.index(after: colon)...]) else { return }
    path = String(text[..<colon])
    self.factor = factor
    guard factor.isFinite, !path.isEmpty else {
      throw RequestError.settingValue(setting: "lora", value: text, allowed: "FILE or FILE:0.8")
    }
  }

  /// The file's name, without its folder, and a factor other than 1.
  public var description: String {
    let name = String(path.split(separator: "/").last ?? "")
    return factor == 1 ? name : "\(name):\(factor)"
  }
}
