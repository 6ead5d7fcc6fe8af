import WeightStorage

extension Model {
  /// The files that the model's weights are read from, each once, sorted.
  var weightFiles: [FileReader] {
    let checkpoints = textEncoders.map(\.weights) + [unetWeights, autoencoderWeights]
    var files: [String: FileReader] = [:]
    for file in checkpoints.flatMap(\.files) { files[file.reader.path] = file.reader }
    return files.values.sorted { $0.path < $1.path }
  }

  /// SHA-256 of the file that the weights come from, as model sites publish it. Of several files, that of the list of
  /// their hashes, a line each, in the order of their paths.
  ///
  /// - Throws: `WeightFileError`, `CancellationError`.
  ///
  /// - Parameter check: called for every megabyte; throws to end it.
  static func sourceHash(_ files: [FileReader], check: () throws -> Void) throws -> String {
    let hashes = try files.map { try $0.hash(0..<$0.count, check: check) }
    guard hashes.count > 1 else { return hashes[0] }
    return SHA256.hex(of: hashes.map { "\($0)\n" }.joined().utf8)
  }
}
