/// Which shard holds which tensor: `{"metadata": …, "weight_map": {tensor: file}}`.
struct ShardIndex {
  var label: String
  var shardOfName: [String: String] = [:]

  /// - Throws: `badShardIndex` for an index that names no tensor, or a file outside its own folder.
  init(path: String, label: String) throws(WeightFileError) {
    self.label = label
    let value = try JSONValue(parsing: FileReader.contents(of: path, label: label), file: label)
    let map = ConfigValue(file: label, value: value)["weight_map"]
    for name in map.keys {
      let shard = try map[name].string()
      guard !shard.contains("/"), shard.hasSuffix(".safetensors") else {
        throw .badShardIndex(file: label, reason: "tensor \(name) is said to be in \"\(shard)\"")
      }
      shardOfName[name] = shard
    }
    if shardOfName.isEmpty { throw .badShardIndex(file: label, reason: "it names no tensor") }
  }
}
