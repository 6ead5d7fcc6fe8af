import FoundationEssentials
import Kernels
import NeuralGraph
import Packing
import Pentimento
import Platform
import StableDiffusion
import Tensors
import WeightStorage

/// A model of published shapes and random weights, as a container: what a network costs does not depend on what it has
/// learned.
///
/// Weights of a layer of K inputs are uniform with variance 1/K, the same million of them again and again; scales of
/// norms are one. Which weights are bytes is decided as for any other model; no layer is rotated.
enum MadeUpModel: String, CaseIterable {
  case sd15, sdxl

  /// Writes the container.
  ///
  /// - Throws: `WeightFileError`
  func write(to path: String, precision: WeightPrecision, threads: Int) throws {
    let weights = try self.weights()
    let formats = Quantizer(precision: precision, scales: .maxAbs).formats(of: weights)
    let texts = configurations
    let names = weights.flatMap { [$0.name, $0.name + ContainerFile.scaleSuffix] }
    let bytes = weights.reduce(texts.values.reduce(4096) { $0 + 2 * $1.utf8.count }) {
      $0 + 3 * $1.name.utf8.count + 250
    }
    let writer = try ContainerWriter(path: path, names: names, metadataBytes: bytes)
    let random = RandomWeights(try ThreadPool(threads: threads))
    var scales: [(name: String, count: Int, value: Float)] = []
    for ((name, weight), format) in zip(weights, formats) {
      if let scale = try random.write(weight, as: name, format.element, to: writer) {
        scales.append((name + ContainerFile.scaleSuffix, weight.shape[0], scale))
      }
    }
    for (name, count, value) in scales {
      try writer.begin(name, .f32, [count])
      try writer.append([Float](repeating: value, count: count))
      writer.endTensor()
    }
    let shapes = weights.compactMap { name, weight in
      weight.role == .matrix || weight.role == .convolution
        ? "\"\(name)\":[\(weight.shape.map(String.init).joined(separator: ","))]" : nil
    }
    let tables = [ContainerFile.Table.shapes.rawValue: "{\(shapes.joined(separator: ","))}"]
    let more = Quantizer.tables(zip(weights, formats).map { ($0.name, $1) })
    try writer.finish(metadata: texts.merging(tables) { own, _ in own }.merging(more) { $1 })
  }

  /// Of all networks, by their names in a container, each once.
  private func weights() throws -> [(name: String, weight: Weight)] {
    var all: [(name: String, weight: Weight)] = []
    func add(_ component: String, _ define: (Scope) throws -> Void) throws {
      let builder = GraphBuilder()
      try define(builder.root)
      var seen: Set<String> = []
      all += builder.graph.weights.filter { seen.insert($0.name).inserted }
        .map { ("\(component).\($0.name)", $0) }
    }
    func json(_ component: String) -> Data { Data(configurations["\(component)/config.json"]!.utf8) }
    for component in ["text_encoder", "text_encoder_2"]
    where configurations["\(component)/config.json"] != nil {
      let encoder = TextEncoder(try TextEncoderConfiguration(json: json(component)))
      try add(component) { _ = try encoder.define($0) }
    }
    let unet = UNet(try UNetConfiguration(json: json("unet")))
    try add("unet") { _ = try unet.define(height: 8, width: 8, tokens: 77, $0) }
    let vae = Autoencoder(try AutoencoderConfiguration(json: json("vae")))
    try add("vae") {
      _ = try vae.defineEncoder(height: 8, width: 8, $0)
      _ = try vae.defineDecoder(height: 1, width: 1, $0)
    }
    return all
  }

  /// The small files of the model's folder, fields that are not the defaults of the library that wrote such folders.
  private var configurations: [String: String] {
    let vae = """
      {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "sample_size": 512,
       "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
       "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}
      """
    let text = """
      {"model_type": "clip_text_model", "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
      """
    var files = [
      "model_index.json": "{}", "vae/config.json": vae, "text_encoder/config.json": text,
      "scheduler/scheduler_config.json":
        #"{"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}"#,
    ]
    switch self {
    case .sd15: files["unet/config.json"] = #"{"cross_attention_dim": 768}"#
    case .sdxl:
      files["unet/config.json"] = """
        {"sample_size": 128, "block_out_channels": [320, 640, 1280], "attention_head_dim": [5, 10, 20],
         "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
         "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
         "transformer_layers_per_block": [1, 2, 10], "cross_attention_dim": 2048, "use_linear_projection": true,
         "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
         "projection_class_embeddings_input_dim": 2816}
        """
      files["text_encoder_2/config.json"] = """
        {"model_type": "clip_text_model", "architectures": ["CLIPTextModelWithProjection"], "hidden_size": 1280,
         "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20, "hidden_act": "gelu",
         "projection_dim": 1280}
        """
    }
    return files
  }
}

/// The bytes of random weights.
private struct RandomWeights {
  /// Uniform with variance 1.
  private let pattern: [Float]
  private let pool: ThreadPool
  private static let limit: Float = 1.7320508

  init(_ pool: ThreadPool) {
    self.pool = pool
    var state: UInt32 = 1
    pattern = (0..<1 << 20).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(Int32(bitPattern: state)) * 0x1p-31 * Self.limit
    }
  }

  /// - Returns: of a weight of bytes, the scale of all its rows.
  func write(
    _ weight: Weight, as name: String, _ element: ElementType, to writer: ContainerWriter
  ) throws -> Float? {
    let type = weight.type(storedAs: element)
    let inner = weight.shape.dropFirst().reduce(1, *)
    let isPanels = type.layout == .panels
    let panels = (weight.shape[0] + 15) / 16
    let stored: [Int] =
      !isPanels
      ? type.shape : element == .s8 ? [panels, type.byteCount / panels] : [panels, inner, 16]
    try writer.begin(name, StoredElement(element), stored)
    let block = max(pattern.count / inner / 16, 1) * 16
    let deviation = 1 / Float(weight.role == .table ? 1 : inner).squareRoot()
    for start in stride(from: 0, to: weight.shape[0], by: block) {
      let rows = start..<min(start + block, weight.shape[0])
      let count = rows.count * inner
      let bytes = isPanels ? (rows.count + 15) / 16 * (type.byteCount / panels) : count * element.byteCount
      try writer.append(bytes) { target in
        if element == .s8 {
          let scales = [Float](repeating: Self.limit / 127, count: rows.count)
          pattern.withUnsafeBufferPointer { values in
            scales.withUnsafeBufferPointer {
              packInt8Panels(
                UnsafeBufferPointer(rebasing: values[..<count]), scales: $0, checkpointShape: weight.shape,
                rows: rows, into: target, pool)
            }
          }
        } else if weight.shape.count == 1 {
          let value: Float = name.hasSuffix("weight") ? 1 : 0.01
          for i in 0..<count { target.storeBytes(of: value, toByteOffset: 4 * i, as: Float.self) }
        } else if isPanels {
          let plain = UnsafeMutableRawBufferPointer.allocate(
            byteCount: count * element.byteCount, alignment: 64)
          defer { plain.deallocate() }
          fill(plain, element, count, deviation)
          packPanels(
            UnsafeRawBufferPointer(plain), element: element, checkpointShape: weight.shape, rows: rows,
            into: target, pool)
        } else {
          fill(target, element, count, deviation)
        }
      }
    }
    writer.endTensor()
    return element == .s8 ? Self.limit / 127 * deviation : nil
  }

  private func fill(
    _ target: UnsafeMutableRawBufferPointer, _ element: ElementType, _ count: Int, _ deviation: Float
  ) {
    for i in 0..<count {
      let value = pattern[i & (pattern.count - 1)] * deviation
      if element == .f16 {
        target.storeBytes(of: Float16(value).bitPattern, toByteOffset: 2 * i, as: UInt16.self)
      } else {
        target.storeBytes(of: value, toByteOffset: 4 * i, as: Float.self)
      }
    }
  }
}
