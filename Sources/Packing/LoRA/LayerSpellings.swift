/// How LoRA files spell the layers of one network, with `_` for every dot, and which layer is meant.
///
/// Not the other way round: `a_b_c` may be `a.b_c` or `a_b.c`, so a spelling is looked up among those of all layers.
struct LayerSpellings {
  private var layers: [String: String] = [:]

  /// - Parameters:
  ///   - layers: the network's own paths, `down_blocks.0.attentions.0.proj_in`.
  ///   - component: `unet`, or a text encoder.
  init(of layers: some Collection<String>, in component: String) {
    let published = component == "unet" ? KeyTable.denoiserNames(for: Set(layers)) : [:]
    for layer in layers.sorted() {
      var spellings = [layer] + Self.older(layer)
      if let (own, foreign) = Self.longestPrefix(of: layer, in: published) {
        spellings.append(foreign + layer.dropFirst(own.count))
      }
      for spelling in spellings { self.layers[LoRAKey.spelling(spelling)] = layer }
    }
  }

  subscript(_ spelling: String) -> String? { layers[spelling] }

  /// What diffusers called a layer until 2023: the attention's projections belonged to its processor, and those of
  /// text encoders had the names of the network's.
  private static func older(_ layer: String) -> [String] {
    for (own, old) in projections where layer.hasSuffix(own) {
      let attention = layer.dropLast(own.count)
      return ["\(attention).\(old)", "\(attention).processor.\(old)"]
    }
    return []
  }

  private static let projections: [(own: String, old: String)] = [
    (".to_q", "to_q"), (".to_k", "to_k"), (".to_v", "to_v"), (".to_out.0", "to_out"),
    (".q_proj", "to_q"), (".k_proj", "to_k"), (".v_proj", "to_v"), (".out_proj", "to_out"),
  ]

  private static func longestPrefix(of layer: String, in names: [String: String]) -> (String, String)? {
    var prefix = layer[...]
    while true {
      if let foreign = names[String(prefix)] { return (String(prefix), foreign) }
      guard let dot = prefix.lastIndex(of: ".") else { return nil }
      prefix = prefix[..<dot]
    }
  }
}

extension KeyTable {
  /// The first parts of the names of a denoiser with these layers, and what the first publication calls them
  /// (`down_blocks.0.resnets.0.conv1` → `input_blocks.1.0.in_layers.2`).
  fileprivate static func denoiserNames(for layers: Set<String>) -> [String: String] {
    let root = "model.diffusion_model."
    let marks = NameTree(foreignMarks(of: layers).map { "\(root)\($0).weight" })
    var table = KeyTable(names: marks, family: .sd1)  // which names whole transformers
    table.addDenoiser(root)
    var names: [String: String] = [:]
    for (foreign, entry) in table.entries where foreign.hasPrefix(root) {
      if case .renamed(let own) = entry.target { names[own] = String(foreign.dropFirst(root.count)) }
    }
    return names
  }

  /// The names by which `addDenoiser` tells how many blocks there are.
  private static func foreignMarks(of layers: Set<String>) -> [String] {
    var (marks, n) = ([String](), 1)
    func resnets(_ block: String) -> Int {
      (0...).prefix { layers.contains("\(block).resnets.\($0).conv1") }.count
    }
    for level in (0...).prefix(while: { resnets("down_blocks.\($0)") > 0 }) {
      for _ in 0..<resnets("down_blocks.\(level)") {
        marks.append("input_blocks.\(n).0.in_layers.0")
        n += 1
      }
      guard layers.contains("down_blocks.\(level).downsamplers.0.conv") else { continue }
      marks.append("input_blocks.\(n).0.op")
      n += 1
    }
    n = 0
    for level in (0...).prefix(while: { resnets("up_blocks.\($0)") > 0 }) {
      let block = "up_blocks.\(level)"
      for _ in 0..<resnets(block) {
        marks.append("output_blocks.\(n).0.in_layers.0")
        n += 1
      }
      guard layers.contains("\(block).upsamplers.0.conv") else { continue }
      let attends = layers.contains("\(block).attentions.0.proj_in")
      marks.append("output_blocks.\(n - 1).\(attends ? 2 : 1).conv")
    }
    return marks
  }
}
