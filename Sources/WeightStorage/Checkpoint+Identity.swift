import Files

extension Checkpoint {
  /// Bytes of every tensor that go into its identity.
  private static let sample = 4096

  /// Adds what tells these weights from others: of every tensor its name, type, shape and the 4096 bytes in its
  /// middle.
  ///
  /// Reading 2 GB for a hash takes a minute on a memory card; this reads 4 MB of Stable Diffusion 1.5. Training,
  /// merging and converting change whole tensors, so the middle shows them; a single changed value elsewhere does
  /// not show. How the tensors are spread over files makes no difference.
  ///
  /// - Throws: `truncated`, `readFailed`.
  package func identify(to hash: inout SHA256) throws(WeightFileError) {
    for name in names {
      let (file, tensor) = try place(of: name)
      hash.update("\(name) \(tensor.element.rawValue) \(tensor.shape)")
      let length = min(tensor.range.count, Self.sample)
      let start = tensor.range.lowerBound + (tensor.range.count - length) / 2
      hash.update(try file.bytes(start..<start + length))
    }
  }
}
