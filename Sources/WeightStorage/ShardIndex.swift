import Files
import JSON

/// Which shard holds which tensor: `{"metadata": …, "weight_map": {tensor: file}}`.
struct ShardIndex {
  var label: String
  var shardOfName: [String: String] = [:]

  /// - Throws: `badShardIndex` for an index that names no tensor, or a file outside its own folder.
  init(path: String, label: String) throws(WeightFileError) {
    self.label = label
    let bytes = try WeightFileError.ofFile { () throws(FileError) in
      try FileReader.contents(of: path, label: label)
    }
    let places = try configuration { () throws(ConfigurationError) in
      let map = try ConfigValue(parsing: bytes, file: label)["weight_map"]
      return try map.keys.map { (name) throws(ConfigurationError) in (name, try map[name].string()) }
    }
    for (name, shard) in places {
      guard !shard.contains("/"), shard.hasSuffix(".safetensors") else {
        throw .badShardIndex(file: label, reason: "tensor \(name) is said to be in \"\(shard)\"")
      }
      shardOfName[name] = shard
    }
    if shardOfName.isEmpty { throw .badShardIndex(file: label, reason: "it names no tensor") }
  }
}
