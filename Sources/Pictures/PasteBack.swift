import Tensors

private func mixed(_ new: UInt8, _ old: UInt8, _ m: Float) -> UInt8 {
  m == 0 ? old : UInt8((Float(old) + m * (Float(new) - Float(old))).rounded())
}

extension Picture {
  /// Keeps this edit where the mask allows it and puts the original back elsewhere, as `FinishedPhoto` does.
  public mutating func pasteBack(_ original: Picture, outside mask: Mask) {
    precondition(original.width == width && original.height == height)
    precondition(mask.width == width && mask.height == height)
    for (pixel, m) in mask.values.enumerated() where m != 1 {
      for i in 3 * pixel..<3 * pixel + 3 { pixels[i] = mixed(pixels[i], original.pixels[i], m) }
    }
  }
}
