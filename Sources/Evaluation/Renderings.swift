import ImageFiles
import JSON
import Tensors

/// What a rendered pair's result is compared with, beside the truth itself.
///
/// A result is right in an attribute if it is nearer to the truth than to every variant of that attribute, by the
/// mean squared error over one region: the object's for colour and shape, the ground's for ground. Since truth and
/// variant are equal where neither shows what changes, only the pixels where they differ decide. Written by
/// `Tools/fixtures/make_evaluation.py`.
public struct Renderings: Sendable, Equatable {
  /// The truth with one attribute changed: another colour, shape or ground, or what is edited as a grey or blurred
  /// region.
  public struct Variant: Sendable, Equatable {
    /// colour, shape or ground.
    public var attribute: String
    /// "green", "cone", "sand", "grey", "blurred".
    public var value: String
    public var picture: Picture

    public init(attribute: String, value: String, picture: Picture) {
      self.attribute = attribute
      self.value = value
      self.picture = picture
    }
  }

  public var variants: [Variant]
  /// White where the object stands in the truth or in a variant, half of the pixel or more.
  public var object: MaskPicture
  /// White on the ground that no object covers in any of them.
  public var ground: MaskPicture
  /// The truth without its object, and without its shadow.
  public var empty: Picture

  public init(variants: [Variant], object: MaskPicture, ground: MaskPicture, empty: Picture) {
    self.variants = variants
    self.object = object
    self.ground = ground
    self.empty = empty
  }

  /// The names of the attributes, in the order in which they are reported.
  public static let attributes = ["colour", "shape", "ground"]

  /// The attributes in which a picture is nearer to the truth than to every variant.
  ///
  /// A variant has all other attributes of the truth: where a picture has another colour, its shape may look wrong too.
  public func attributesRight(in picture: Picture, truth: Picture) -> [String] {
    Self.attributes.filter { attribute in
      let region = attribute == "ground" ? ground : object
      let error = picture.meanSquaredError(to: truth, .inside, of: region) ?? 0
      return variants.allSatisfy { variant in
        variant.attribute != attribute
          || error < picture.meanSquaredError(to: variant.picture, .inside, of: region) ?? 0
      }
    }
  }

  /// How well the object's outline was kept: intersection over union, in picture and truth, of the pixels of the
  /// object's region that differ from the scene without the object by more than `threshold` levels in a channel.
  /// The nearest part of the shadow counts in both alike.
  public func overlap(of picture: Picture, truth: Picture, threshold: Int = 40) -> Double {
    func stands(_ picture: Picture, _ pixel: Int) -> Bool {
      (3 * pixel..<3 * pixel + 3).contains { i in
        abs(Int(picture.pixels[i]) - Int(empty.pixels[i])) > threshold
      }
    }
    var (both, either) = (0, 0)
    for pixel in 0..<object.pixels.count where object.pixels[pixel] >= 128 {
      let (mine, right) = (stands(picture, pixel), stands(truth, pixel))
      both += mine && right ? 1 : 0
      either += mine || right ? 1 : 0
    }
    return either == 0 ? 1 : Double(both) / Double(either)
  }
}

extension Renderings {
  /// Reads what an entry of `pairs.json` names: `variants` (pictures of the pair's size one below the other, in the
  /// order of `differs`), `regions` (255 object, 128 ground) and `empty`; nil where it names none.
  ///
  /// - Throws: `EvaluationError.pair`, `PictureFileError` or an error of the JSON.
  init?(_ entry: ConfigValue, folder: String, name: String, size: Extent) throws {
    guard entry.keys.contains("variants") else { return nil }
    let differs = try entry["differs"].elements().map { try $0.elements().map { try $0.string() } }
    let strip = try PictureFile.read("\(folder)/\(try entry["variants"].string())")
    let regions = try PictureFile.readMask("\(folder)/\(try entry["regions"].string())")
    let empty = try PictureFile.read("\(folder)/\(try entry["empty"].string())")
    guard differs.allSatisfy({ $0.count == 2 && Self.attributes.contains($0[0]) }),
      Extent(strip) == Extent(width: size.width, height: size.height * differs.count),
      Extent(width: regions.width, height: regions.height) == size, Extent(empty) == size
    else { throw EvaluationError.pair(name) }
    func region(_ isIn: (UInt8) -> Bool) -> MaskPicture {
      MaskPicture(width: size.width, height: size.height, pixels: regions.pixels.map { isIn($0) ? 255 : 0 })
    }
    let bytes = size.width * size.height * 3
    self.init(
      variants: differs.enumerated().map { index, words in
        Variant(
          attribute: words[0], value: words[1],
          picture: Picture(
            width: size.width, height: size.height,
            pixels: Array(strip.pixels[index * bytes..<(index + 1) * bytes])))
      },
      object: region { $0 >= 192 }, ground: region { (64..<192).contains($0) }, empty: empty)
  }
}
