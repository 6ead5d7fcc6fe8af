import Foundation
import StableDiffusion
import Testing
import WeightStorage

@Suite("Networks read exactly the tensors of a checkpoint", .serialized) struct CheckpointCoverageTests {
  private func shapes(_ checkpoint: Checkpoint) throws -> [String: [Int]] {
    Dictionary(uniqueKeysWithValues: try checkpoint.names.map { ($0, try checkpoint.shape(of: $0)) })
  }

  @Test("UNet", arguments: Fixture.allCases) func unet(fixture: Fixture) throws {
    let network = try Networks.unet(fixture.unet())
    #expect(try network.weights == shapes(fixture.model().weights(of: "unet")))
  }

  @Test("autoencoder", arguments: Fixture.allCases) func autoencoder(fixture: Fixture) throws {
    let network = try Networks.autoencoder(Autoencoder(fixture.autoencoder()))
    #expect(try network.weights == shapes(fixture.model().weights(of: "vae")))
  }

  @Test("text encoders", arguments: Fixture.allCases) func text(fixture: Fixture) throws {
    for component in fixture.textEncoders {
      let network = try Networks.text(fixture.textEncoder(component))
      #expect(try network.weights == shapes(fixture.model().weights(of: component)), "\(component)")
    }
  }

  @Test("published UNets have the published number of parameters", arguments: Published.unets)
  func unetParameters(published: Published.Network) throws {
    let configuration = try UNetConfiguration(json: Data(published.json.utf8))
    #expect(try Networks.unet(configuration).parameters == published.parameters)
  }

  @Test("published text encoders have the published number of parameters", arguments: Published.textEncoders)
  func textParameters(published: Published.Network) throws {
    let encoder = TextEncoder(try TextEncoderConfiguration(json: Data(published.json.utf8)))
    #expect(try Networks.text(encoder).parameters == published.parameters)
  }

  @Test("the published autoencoder has the published number of parameters") func autoencoderParameters()
    throws
  {
    let autoencoder = Autoencoder(try AutoencoderConfiguration(json: Data(Published.autoencoder.utf8)))
    #expect(try Networks.autoencoder(autoencoder).parameters == 83_653_863)
  }
}
