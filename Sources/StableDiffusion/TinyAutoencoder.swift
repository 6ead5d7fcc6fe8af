import NeuralGraph
import Tensors

/// A small, fast stand-in for an autoencoder, distilled from it (`AutoencoderTiny` in the checkpoint; Bohan 2023,
/// TAESD): convolutions, rectifiers and nothing else.
///
/// Its latents are those that the noise network works on, so its scaling factor is 1.
package struct TinyAutoencoder: LatentAutoencoder {
  package var configuration: TinyAutoencoderConfiguration

  package init(_ configuration: TinyAutoencoderConfiguration) { self.configuration = configuration }

  package var description: any Encodable & Sendable { configuration }
  package var scalingFactor: Float { configuration.scalingFactor }
  package var channels: [Int] { configuration.encoderBlocks.map { _ in configuration.channels } }

  /// Input `image` `[H, W, 3]` in −1…1 → `moments` `[H/8, W/8, 4]`: the latent; it has no variance.
  ///
  ///     (image + 1)/2 ─ conv ─ blocks ─(conv, stride 2 ─ blocks)×3 ─ conv ── latent
  package func defineEncoder(
    height: Int, width: Int, _ g: Scope
  ) throws(GraphError) -> (image: Value, moments: Value) {
    let image = g.input("image", TensorType([height, width, 3]))
    var layers = Layers(g["encoder"]["layers"])
    var x = try g.affine(image, by: 0.5, plus: 0.5)
    for (i, count) in configuration.encoderBlocks.enumerated() {
      let isFirst = i == 0
      x = try layers.next().conv(
        x, to: configuration.channels, kernel: 3, stride: isFirst ? 1 : 2, bias: isFirst)
      for _ in 0..<count { x = try block(x, layers.next()) }
    }
    x = try layers.next().conv(x, to: AutoencoderConfiguration.latentChannels, kernel: 3)
    return (image, g.tap("moments", x))
  }

  /// Input `latent` `[h, w, 4]` → `image` `[8h, 8w, 3]` in about −1…1, not clamped.
  ///
  ///     3·tanh(latent/3) ─ conv ─ relu ─(blocks ─ enlarge ─ conv)×3 ─ blocks ─ conv ─ 2x − 1 ── image
  package func defineDecoder(
    height: Int, width: Int, _ g: Scope
  ) throws(GraphError) -> (latent: Value, image: Value) {
    let latent = g.input("latent", TensorType([height, width, AutoencoderConfiguration.latentChannels]))
    var layers = Layers(g["decoder"]["layers"])
    var x = try g.softLimit(latent, to: 3)
    x = try g.relu(layers.next().conv(x, to: configuration.channels, kernel: 3))
    _ = layers.next()  // the rectifier has a number
    for (i, count) in configuration.decoderBlocks.enumerated() {
      let isLast = i == configuration.decoderBlocks.count - 1
      for _ in 0..<count { x = try block(x, layers.next()) }
      guard !isLast else {
        x = try layers.next().conv(x, to: 3, kernel: 3)
        break
      }
      let size = g.shape(x)
      let large = try g.enlarged(x, height: 2 * size[0], width: 2 * size[1])
      _ = layers.next()  // and so has the enlargement
      x = try layers.next().conv(large, to: configuration.channels, kernel: 3, bias: false)
    }
    let image = try g.affine(x, by: 2, plus: -1)
    return (latent, g.tap("image", image))
  }

  /// Three convolutions around a residual (`AutoencoderTinyBlock` in the checkpoint).
  ///
  ///     x ── conv.0 ─ relu ─ conv.2 ─ relu ─ conv.4 ─(+)─ relu ── y
  ///
  /// The rectifiers in between belong to the convolutions that read them, so that a block whose pictures are too wide has
  /// only its own input and result in memory.
  private func block(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
    let (g, c) = (g["conv"], configuration.channels)
    let first = try g[0].conv(x, to: c, kernel: 3)
    let second = try g[2].conv(LayerInput(first).activated(by: .relu), to: c, kernel: 3)
    return try g.relu(g[4].conv(LayerInput(second).activated(by: .relu), to: c, kernel: 3, residual: x))
  }

  /// A list of layers that the file numbers through.
  private struct Layers {
    private let list: Scope
    private var index = 0

    init(_ list: Scope) { self.list = list }

    mutating func next() -> Scope {
      defer { index += 1 }
      return list[index]
    }
  }
}
