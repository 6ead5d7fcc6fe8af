import FoundationEssentials
import Packing
import StableDiffusion

extension Model {
  /// Every weight that a network reads, by the names of today's files, with its name in this model's files.
  package func packingList() throws -> [Quantizer.Item] {
    var items: [Quantizer.Item] = []
    for component in components {
      var seen: Set<String> = []
      for (here, today) in try component.networks.flatMap(component.reads)
      where seen.insert(here.name).inserted {
        items.append(
          Quantizer.Item(
            component: component.name, weight: today, source: here.name, checkpoint: component.checkpoint))
      }
    }
    return items
  }

  /// The small files of the model's folder, from what was understood of them.
  ///
  /// - Parameter nativeSize: side of the square pictures that the model was trained on; nil for what it says.
  func texts(nativeSize: Int?) throws -> [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func json(_ value: any Encodable) throws -> String {
      String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    var texts = [
      "model_index.json": try json(["force_zeros_for_empty_prompt": zeroesMissingNegative]),
      "scheduler/scheduler_config.json": try json(schedulerConfiguration.complete),
    ]
    for component in components {
      texts["\(component.name)/config.json"] = try json(component.facts.configuration)
      guard component.facts.hasTokenizer else { continue }
      let folder = Component.tokenizer(of: component.name)
      for (name, text) in try Self.tokenizerFiles(files, folder).texts { texts["\(folder)/\(name)"] = text }
    }
    if let nativeSize {
      var network = unet.configuration
      network.sampleSize = nativeSize / pixelsPerLatent
      texts["unet/config.json"] = try json(network)
    }
    if files.contains("pentimento.json") {
      texts["pentimento.json"] = String(decoding: try files.data("pentimento.json"), as: UTF8.self)
    }
    return texts
  }
}
