import Tensors

/// The losses of a run as a small picture: every step from left to right, a line through their running mean, both axes with
/// ticks. The upward axis is logarithmic where all losses are positive and spread over more than a decade.
public struct LossPlot {
  private let losses: [Double]
  private let vertical: PlotAxis
  private let horizontal: PlotAxis

  private static let (width, height) = (640, 360)
  /// Pixels around the field.
  private static let (left, right, top, bottom) = (76, 16, 16, 36)

  /// - Parameter losses: those that are not finite are left out of the drawing.
  public init(_ losses: [Double]) {
    self.losses = losses
    let finite = losses.filter(\.isFinite)
    vertical = PlotAxis(finite.min() ?? 0, finite.max() ?? 1, mayBeLogarithmic: true)
    horizontal = PlotAxis(1, Double(max(losses.count, 2)), mayBeLogarithmic: false, fits: false)
  }

  public var picture: Picture {
    var canvas = PlotCanvas(width: Self.width, height: Self.height)
    let (x0, x1, y0, y1) = (
      Self.left, Self.width - 1 - Self.right, Self.height - 1 - Self.bottom, Self.top
    )
    func x(_ step: Double) -> Int { x0 + Int((horizontal.place(step) * Double(x1 - x0)).rounded()) }
    func y(_ loss: Double) -> Int { y0 - Int((vertical.place(loss) * Double(y0 - y1)).rounded()) }

    for tick in vertical.ticks {
      canvas.line(x0, y(tick), x1, y(tick), .faint)
      let text = PlotAxis.text(tick)
      canvas.write(text, x0 - 8 - PlotCanvas.width(of: text), y(tick) - PlotCanvas.textHeight / 2)
    }
    for tick in horizontal.ticks {
      canvas.line(x(tick), y0, x(tick), y0 + 4, .ink)
      let text = PlotAxis.text(tick)
      canvas.write(text, x(tick) - PlotCanvas.width(of: text) / 2, y0 + 10)
    }
    for (i, loss) in losses.enumerated() where loss.isFinite {
      canvas.dot(x(Double(i + 1)), y(loss), .light)
    }
    var previous: (Int, Int)?
    for (i, mean) in runningMeans.enumerated() where mean.isFinite {
      let place = (x(Double(i + 1)), y(mean))
      if let previous { canvas.line(previous.0, previous.1, place.0, place.1, .strong) }
      previous = place
    }
    canvas.line(x0, y0, x1, y0, .ink)
    canvas.line(x0, y0, x0, y1, .ink)
    return canvas.picture
  }

  /// Over a twentieth of the run.
  private var runningMeans: [Double] {
    let span = max(1, losses.count / 20)
    var (sum, means) = (0.0, [Double]())
    for (i, loss) in losses.enumerated() {
      sum += loss
      if i >= span { sum -= losses[i - span] }
      means.append(sum / Double(min(i + 1, span)))
    }
    return means
  }
}

/// One axis: where a number lies on it, and which numbers are marked.
struct PlotAxis {
  let isLogarithmic: Bool
  let ticks: [Double]
  private let low: Double
  private let high: Double

  /// - Parameter fits: the axis reaches to round numbers on both sides.
  init(_ least: Double, _ most: Double, mayBeLogarithmic: Bool, fits: Bool = true) {
    if mayBeLogarithmic, least > 0, most > 10 * least {
      isLogarithmic = true
      let last = Self.exponent(most)
      let decades = Self.exponent(least)...last + (most > Self.power(last) ? 1 : 0)
      let apart = (decades.count + 6) / 7
      ticks = stride(from: decades.lowerBound, through: decades.upperBound, by: apart).map(Self.power)
      (low, high) = (Self.power(decades.lowerBound), Self.power(decades.upperBound))
      return
    }
    isLogarithmic = false
    let range = most > least ? most - least : max(most.magnitude, 1)
    // 1, 2 or 5 times a power of ten, so that there are at most six.
    let power = Self.power(Self.exponent(range / 5))
    let apart = [1, 2, 5, 10].map { $0 * power }.first { range / $0 <= 5 } ?? 10 * power
    let first = fits ? (least / apart).rounded(.down) : (least / apart).rounded(.up)
    let last = fits ? max((most / apart).rounded(.up), first + 1) : (most / apart).rounded(.down)
    ticks = stride(from: first, through: last, by: 1).map { $0 * apart }
    (low, high) = fits ? (first * apart, last * apart) : (least, most)
  }

  /// 0 at the lower end, 1 at the upper.
  func place(_ number: Double) -> Double {
    isLogarithmic
      ? (Self.logarithm(number) - Self.logarithm(low)) / (Self.logarithm(high) - Self.logarithm(low))
      : (number - low) / (high - low)
  }

  /// ⌊log₁₀⌋ of a positive number.
  private static func exponent(_ number: Double) -> Int {
    var exponent = Int((Double(number.exponent) * 0.30102999566398120).rounded(.down))
    while power(exponent + 1) <= number { exponent += 1 }
    while power(exponent) > number { exponent -= 1 }
    return exponent
  }

  /// log₁₀, good to a thousandth: it moves pixels.
  private static func logarithm(_ number: Double) -> Double {
    // log₂ of the significand by (m − 1)/(m + 1), three terms of the series of artanh.
    let t = (number.significand - 1) / (number.significand + 1)
    let natural = 2 * (t + t * t * t / 3 + t * t * t * t * t / 5 + t * t * t * t * t * t * t / 7)
    return Double(number.exponent) * 0.30102999566398120 + natural * 0.43429448190325183
  }

  /// 10ⁿ, as the nearest Double.
  private static func power(_ exponent: Int) -> Double { Double("1e\(exponent)")! }

  /// A number as a tick shows it: `0.02`, `1000`, `1e-5`.
  static func text(_ number: Double) -> String {
    if number == 0 { return "0" }
    let exponent = exponent(number.magnitude)
    guard (-4...5).contains(exponent) else {
      let digits = (number / power(exponent) * 10).rounded() / 10
      return (digits == digits.rounded() ? "\(Int(digits))" : "\(digits)") + "e\(exponent)"
    }
    // Two digits are enough for 1, 2 and 5; steps count in thousands.
    let places = max(0, 2 - exponent)
    let rounded = (number * power(places)).rounded() / power(places)
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }
}
