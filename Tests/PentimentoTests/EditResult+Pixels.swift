import Pentimento
import Tensors

extension EditResult {
  /// The whole picture.
  var pixels: Picture { get throws { try Picture(reading: picture) } }

  /// The whole mask.
  var maskPixels: MaskPicture? { get throws { try mask.map { try MaskPicture(reading: $0) } } }
}
