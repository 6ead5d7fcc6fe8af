import Foundation
import Packing
import StableDiffusion
import TestSupport
import Testing

/// Published models as single files: what their tensors' names and shapes say is what was published beside them.
@Suite("Configuration of a single file") struct SingleFileConfigurationTests {
  private static func json(_ family: String, _ name: String) throws -> Data {
    let file = try SingleFile(sparse: SingleFile.published(family))
    return try SingleFileModel(path: file.path).data(name)
  }

  @Test(
    "is the published one of the UNet",
    arguments: [("sd15", Published.unet15), ("sd21", Published.unet21), ("sdxl", Published.unetXL)])
  func unet(family: String, published: String) throws {
    let found = try UNetConfiguration(json: Self.json(family, "unet/config.json"))
    #expect(try found == UNetConfiguration(json: Data(published.utf8)))
  }

  @Test(
    "is the published one of the text encoders",
    arguments: [
      ("sd15", "text_encoder", Published.clipL), ("sd21", "text_encoder", Published.clipH),
      ("sdxl", "text_encoder", Published.clipL), ("sdxl", "text_encoder_2", Published.clipG),
    ])
  func text(family: String, component: String, published: String) throws {
    let found = try TextEncoderConfiguration(json: Self.json(family, "\(component)/config.json"))
    var expected = try TextEncoderConfiguration(json: Data(published.utf8))
    #expect(expected.endToken == 2, "the old way to say the last token of the vocabulary")
    expected.endToken = 49407
    #expect(found == expected)
  }

  @Test(
    "is the published one of the autoencoder",
    arguments: [("sd15", 0.18215, 512), ("sd21", 0.18215, 768), ("sdxl", 0.13025, 1024)]
      as [(String, Float, Int)])
  func autoencoder(family: String, scalingFactor: Float, side: Int) throws {
    let found = try AutoencoderConfiguration(json: Self.json(family, "vae/config.json"))
    var expected = try AutoencoderConfiguration(json: Data(Published.autoencoder.utf8))
    (expected.scalingFactor, expected.sampleSize) = (scalingFactor, side)
    #expect(found == expected)
  }
}
