import Pictures
import Tensors

/// A linear guess at a picture from its latent alone, without the decoder:
///
///     rgb of a cell = A·z + b
///
/// A and b are the least squares between the latent of a picture and the means of that picture over the cells, so that
/// they fit whatever autoencoder made it. A picture of few colours says little of others: a small weight on A·A keeps
/// what it says nothing of near its mean.
package struct LatentColors: Sendable {
  /// `[channels + 1, 3]`, the last row b.
  private let rows: [Double]
  private let channels: Int

  /// - Parameters:
  ///   - latent: of `picture`, `[h, w, channels]`.
  ///   - picture: a whole number of pixels for every cell.
  package init(fitting latent: Latent, to picture: Picture) {
    let means = Self.means(of: picture, height: latent.height, width: latent.width)
    let (cells, channels) = (latent.height * latent.width, latent.channels)
    let count = channels + 1
    var (normal, right) = (
      [Double](repeating: 0, count: count * count), [Double](repeating: 0, count: count * 3)
    )
    for cell in 0..<cells {
      let z = (0..<channels).map { Double(latent.values[cell * channels + $0]) } + [1]
      for i in 0..<count {
        for j in 0..<count { normal[i * count + j] += z[i] * z[j] }
        for k in 0..<3 { right[i * 3 + k] += z[i] * means[cell * 3 + k] }
      }
    }
    // Against latents of a standard deviation of about one.
    for i in 0..<channels { normal[i * count + i] += 1e-3 * Double(cells) }
    normal[count * count - 1] += 1e-9
    rows = Self.solve(normal, right, count)
    self.channels = channels
  }

  /// `[h, w, 3]`, 0…255 and beyond.
  package func colors(of latent: Latent) -> [Float] {
    (0..<latent.height * latent.width).flatMap { cell in
      (0..<3).map { k in
        let sum = (0..<channels).reduce(rows[channels * 3 + k]) {
          $0 + rows[$1 * 3 + k] * Double(latent.values[cell * channels + $1])
        }
        return Float(sum)
      }
    }
  }

  private static func means(of picture: Picture, height: Int, width: Int) -> [Double] {
    let (p, q) = (picture.height / height, picture.width / width)
    precondition(p * height == picture.height && q * width == picture.width, "cells of a part of a pixel")
    var sums = [Double](repeating: 0, count: height * width * 3)
    for y in 0..<picture.height {
      for x in 0..<picture.width {
        let (cell, pixel) = ((y / p * width + x / q) * 3, (y * picture.width + x) * 3)
        for k in 0..<3 { sums[cell + k] += Double(picture.pixels[pixel + k]) }
      }
    }
    return sums.map { $0 / Double(p * q) }
  }

  /// X of M·X = R for a positive definite M, by elimination.
  private static func solve(_ matrix: [Double], _ right: [Double], _ count: Int) -> [Double] {
    var (m, r) = (matrix, right)
    for i in 0..<count {
      for j in i + 1..<max(count, i + 1) {
        let factor = m[j * count + i] / m[i * count + i]
        for k in i..<count { m[j * count + k] -= factor * m[i * count + k] }
        for k in 0..<3 { r[j * 3 + k] -= factor * r[i * 3 + k] }
      }
    }
    for i in (0..<count).reversed() {
      for k in 0..<3 {
        for j in i + 1..<max(count, i + 1) { r[i * 3 + k] -= m[i * count + j] * r[j * 3 + k] }
        r[i * 3 + k] /= m[i * count + i]
      }
    }
    return r
  }
}

/// Colours of cells as a picture of the size that the networks work at, made row by row between the middles of the cells.
package struct LatentPreview: PictureSource {
  /// `[height, width, 3]`, 0…255.
  private let colors: [Float]
  private let height: Int
  private let width: Int
  private let pixels: Int
  package let extent: Extent

  /// - Parameters:
  ///   - pixels: of a cell's side.
  ///   - extent: of the picture, without what was added at its right and lower sides.
  package init(_ colors: [Float], height: Int, width: Int, pixelsPerLatent pixels: Int, extent: Extent) {
    (self.colors, self.height, self.width) = (colors, height, width)
    (self.pixels, self.extent) = (pixels, extent)
  }

  package var passBytes: Int { 0 }
  package func pass() -> any RowPass { Rows(self) }

  private final class Rows: RowPass {
    private let source: LatentPreview
    private var y = 0

    init(_ source: LatentPreview) { self.source = source }

    func next(into row: UnsafeMutableBufferPointer<UInt8>) {
      let (top, bottom, down) = source.neighbours(of: y, count: source.height)
      for x in 0..<source.extent.width {
        let (left, right, across) = source.neighbours(of: x, count: source.width)
        for k in 0..<3 {
          func color(_ j: Int, _ i: Int) -> Float { source.colors[(j * source.width + i) * 3 + k] }
          let above = color(top, left) + across * (color(top, right) - color(top, left))
          let below = color(bottom, left) + across * (color(bottom, right) - color(bottom, left))
          row[3 * x + k] = UInt8(min(max(above + down * (below - above), 0), 255).rounded())
        }
      }
      y += 1
    }
  }

  /// The cells whose middles lie beside the middle of a pixel, and how far it is on its way from the first to the second.
  private func neighbours(of pixel: Int, count: Int) -> (Int, Int, Float) {
    let place = max((Float(pixel) + 0.5) / Float(pixels) - 0.5, 0)
    let first = min(Int(place), count - 1)
    return (first, min(first + 1, count - 1), place - Float(first))
  }
}
