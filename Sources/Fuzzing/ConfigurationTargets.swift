import Editing
import Files
import FoundationEssentials
import JSON
import NeuralGraph
import StableDiffusion
import Tensors
import WeightStorage

/// One of the JSON files of a model, in all the versions that there are in the fixtures.
struct ConfigurationTarget: FuzzTarget {
  let seeds: [[[UInt8]]]
  let words: [String]
  private let use: @Sendable (Data) throws -> Void

  init(_ fixtures: String, _ name: String, _ use: @escaping @Sendable (Data) throws -> Void) throws {
    let files = try ["sd15", "sd21", "sdxl", "ssd1b", "pruned"].compactMap { model -> [UInt8]? in
      let path = "\(fixtures)/\(model)/model/\(name)"
      return FileManager.default.fileExists(atPath: path) ? try FileReader.contents(of: path) : nil
    }
    seeds = files.map { [$0] }
    // Every text between quotation marks.
    words = files.flatMap { file in
      String(decoding: file, as: UTF8.self).split(separator: "\"", omittingEmptySubsequences: false)
        .enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
    self.use = use
  }

  func read(_ parts: [[UInt8]], in folder: String) throws { try use(Data(parts[0])) }
}

/// What a container would say of a configuration has to mean the same.
private func checkRoundTrip<C: Encodable & Equatable>(
  _ configuration: C, _ parse: (Data) throws -> C
) throws {
  let text = try JSONEncoder().encode(configuration)
  let again = try parse(text)
  // What is written again is compared: some fields are spelt out that a file may leave to another.
  guard try JSONEncoder().encode(again).count == text.count else {
    throw Broken("\(configuration) became \(again)")
  }
}

@Sendable func useUNet(_ json: Data) throws {
  let configuration = try UNetConfiguration(json: json)
  _ = configuration.timestepSinusoid(timestep: 999)
  _ = configuration.timeIDSinusoid?([512, 512, 0, 0, 512, 512])
  try checkRoundTrip(configuration) { try UNetConfiguration(json: $0) }
  let side = 1 << (configuration.down.count - 1)
  let builder = GraphBuilder()
  _ = try UNet(configuration).define(height: side, width: side, tokens: 77, builder.root)
  try checkSizes(builder.graph)
}

@Sendable func useAutoencoder(_ json: Data) throws {
  let coder = try autoencoder(describedBy: json, file: "vae/config.json") { _ in nil }
  guard coder.scalingFactor > 0, coder.scalingFactor < .infinity else {
    throw Broken("a scaling factor of \(coder.scalingFactor)")
  }
  if let plain = coder as? Autoencoder {
    try checkRoundTrip(plain.configuration) { try AutoencoderConfiguration(json: $0) }
  }
  let builder = GraphBuilder()
  _ = try coder.defineEncoder(height: 64, width: 64, builder.root)
  _ = try coder.defineDecoder(height: 8, width: 8, builder.root)
  try checkSizes(builder.graph)
}

@Sendable func useTextEncoder(_ json: Data) throws {
  let configuration = try TextEncoderConfiguration(json: json)
  try checkRoundTrip(configuration) { try TextEncoderConfiguration(json: $0) }
  let builder = GraphBuilder()
  _ = try TextEncoder(configuration).define(builder.root)
  try checkSizes(builder.graph)
  let ids = [49406, 320, 49407] + [Int32](repeating: 49407, count: 74)
  guard ids.indices.contains(configuration.endPosition(in: ids)) else { throw Broken("no end mark") }
}

/// No weight is too large to be counted.
private func checkSizes(_ graph: Graph) throws {
  for weight in graph.weights {
    guard !weight.shape.reduce(1.0, { $0 * Double($1) }).isNaN, weight.shape.allSatisfy({ $0 > 0 }),
      weight.shape.reduce(4.0, { $0 * Double($1) }) < 0x1p62
    else { throw Broken("\(weight.name) has shape \(weight.shape)") }
    _ = weight.type(storedAs: .f32).byteCount
  }
}

@Sendable func useScheduler(_ json: Data) throws {
  let configuration = try SchedulerConfiguration(ConfigValue(parsing: Array(json), file: "f"))
  let schedule = try NoiseSchedule(configuration)
  for t in schedule.alphaBars.indices {
    guard schedule.alphaBars[t] > 0, schedule.alphaBars[t] < 1, schedule.signal(t).isFinite,
      schedule.noise(t).isFinite
    else { throw Broken("ᾱ of timestep \(t) is \(schedule.alphaBars[t])") }
  }
  _ = schedule.finalAlphaBar
  let again = try SchedulerConfiguration(
    ConfigValue(parsing: Array(JSONEncoder().encode(configuration.complete)), file: "f"))
  guard try NoiseSchedule(again) == schedule else { throw Broken("\(configuration) became \(again)") }
}
