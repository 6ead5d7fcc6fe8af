import Editing
import ImageFiles
import Pictures

extension EditRequest {
  /// The part that the model is shown; nil for all of it. Known once the crop is settled.
  var window: Window? {
    if case .window(let window) = crop { window } else { nil }
  }

  /// The picture with all that its file has of it.
  var photo: (any PhotoSource)? { picture.map { $0 as? any PhotoSource ?? PlainPhoto($0) } }

  /// The request with its crop as a window, or as none. Reads the mask where that decides.
  ///
  /// - Parameters:
  ///   - nativeSide: pixels, the model's.
  ///   - limit: of the process, of which `baseline` is taken.
  /// - Throws: `RequestError.settingValue` for a window that is not in the picture; what reading the mask throws.
  func withCropSettled(nativeSide: Int, _ limit: MemoryLimit?, _ baseline: Int) throws -> EditRequest {
    var request = self
    request.crop = .none
    switch crop {
    case .none: return request
    case .window(let window):
      guard let extent = picture?.extent, inversionUse == .discarded else {
        throw RequestError.settingValue(
          setting: "crop", value: window.text, allowed: "a picture, and no inversion that is kept or given")
      }
      guard window.isInside(extent) else {
        throw RequestError.settingValue(
          setting: "crop", value: window.text,
          allowed: "x, y, width and height of a part of the picture of \(extent)")
      }
      request.crop = window.extent == extent ? .none : crop
    case .auto:
      // An inversion is of the whole picture, whatever is edited with it.
      guard let extent = picture?.extent, inversionUse == .discarded else { return request }
      let side: Int
      switch size {
      case .native, nil: side = nativeSide
      case .side(let given): side = given
      case .box: return request
      }
      guard extent.width * extent.height > side * side * 3 / 2, let region = try region(limit, baseline),
        let window = Window(around: region, of: extent, side: side)
      else { return request }
      request.crop = .window(window)
    }
    return request
  }

  /// Where the edit acts: the mask's white, the points and a little around them.
  private func region(_ limit: MemoryLimit?, _ baseline: Int) throws -> Window? {
    guard let extent = picture?.extent else { return nil }
    var region: Window?
    if let mask {
      // What does not fit is told by the plan.
      if let limit, baseline + mask.passBytes > limit.bytes { return nil }
      region = try Window(of: mask, over: extent)
      if region == nil { return nil }
    }
    guard !moves.isEmpty else { return region }
    for point in moves.flatMap({ [$0.source, $0.target] }) {
      guard (0..<extent.width).contains(point.x), (0..<extent.height).contains(point.y) else { return nil }
      let spot = Window(x: point.x, y: point.y, extent: Extent(width: 1, height: 1))
      region = region?.union(spot) ?? spot
    }
    guard let all = region else { return nil }
    // What is dragged is larger than its point: as large as its way, at least.
    let more = mask == nil ? max(all.extent.width, all.extent.height) / 2 : 0
    let (x, y) = (max(0, all.x - more), max(0, all.y - more))
    return Window(
      x: x, y: y,
      extent: Extent(
        width: min(all.x + all.extent.width + more, extent.width) - x,
        height: min(all.y + all.extent.height + more, extent.height) - y))
  }
}

extension Window {
  /// Reads `x,y,width,height`.
  package init?(parsing text: String) {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).compactMap { Int($0) }
    guard numbers.count == 4, text.filter({ $0 == "," }).count == 3, numbers.allSatisfy({ $0 >= 0 }) else {
      return nil
    }
    self.init(x: numbers[0], y: numbers[1], extent: Extent(width: numbers[2], height: numbers[3]))
  }
}
