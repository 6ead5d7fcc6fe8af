import Files

/// Comparing a container with the hashes that were taken when it was written.
///
/// Bits flip on cards and in downloads, most of them leave ordinary numbers, and what is computed from those is an
/// ordinary picture. So a container is read once in full before anything is computed from it, in pieces that leave the
/// page cache behind them, and again only when it has changed.
extension SafetensorsFile {
  /// Told bytes done, of how many; throws to end it.
  package typealias Progress = (_ done: Int, _ total: Int) throws -> Void

  /// Compares every tensor with its hash.
  ///
  /// - Returns: the number of tensors.
  /// - Throws: `damagedTensor`, `changed` if somebody writes to the file meanwhile, `WeightFileError` if it cannot be
  ///   read, what `progress` throws.
  package func verify(
    remembering known: VerifiedFiles = .ofUser,
    progress: Progress = { _, _ in try Task.checkCancellation() }
  ) throws -> Int {
    let before = try FileStamp(of: reader)
    let hashes = try ContainerFile.table(.hashes, self)
    let tensors = tensors.filter { !$0.name.hasPrefix(ContainerFile.paddingPrefix) }
    let total = tensors.reduce(0) { $0 + $1.range.count }
    var done = 0
    do {
      for tensor in tensors {
        let expected = try hashes[tensor.name].string()
        let end = done + tensor.range.count
        let found = try reader.hash(tensor.range) {
          try progress(done, total)
          done = min(done + 1 << 20, end)
        }
        guard found == expected else {
          throw WeightFileError.damagedTensor(file: reader.label, tensor: tensor.name)
        }
        done = end
      }
    } catch let error as WeightFileError {
      known.remove(before)
      throw error
    }
    guard try FileStamp(of: reader) == before else { throw WeightFileError.changed(file: reader.label) }
    known.insert(before)
    verified.withLock { $0 = before }
    return tensors.count
  }

  /// The same where it was not done since the file last changed, by this process or an earlier one.
  package func verifyIfNew(
    remembering known: VerifiedFiles = .ofUser,
    progress: Progress = { _, _ in try Task.checkCancellation() }
  ) throws {
    let now = try FileStamp(of: reader)
    if verified.withLock({ $0 == now }) { return }
    if known.contains(now) {
      verified.withLock { $0 = now }
      return
    }
    _ = try verify(remembering: known, progress: progress)
  }

  /// Takes the file for verified as it is: it was written a moment ago, or damage is what is wanted.
  package func assumeVerified() throws(WeightFileError) {
    let now = try WeightFileError.ofFile { () throws(FileError) in try FileStamp(of: reader) }
    verified.withLock { $0 = now }
  }
}

extension ContainerFile {
  /// See `SafetensorsFile.verify`.
  package func verify(remembering known: VerifiedFiles = .ofUser) throws -> Int {
    try file.verify(remembering: known)
  }

  /// Leaves word that a container was written by this process and so needs not be verified.
  package static func rememberWritten(_ path: String, in known: VerifiedFiles = .ofUser) {
    guard let file = try? FileReader(path: path), let stamp = try? FileStamp(of: file) else { return }
    known.insert(stamp)
  }
}

extension Checkpoint {
  /// The containers that the weights come from.
  private var containers: [SafetensorsFile] {
    files.compactMap { $0 as? SafetensorsFile }.filter { $0.mapping != nil }
  }

  /// Verifies the containers that weights come from, each at its first use. Other files have no hashes.
  ///
  /// - Throws: see `SafetensorsFile.verify`.
  package func verifyIfNew(
    progress: SafetensorsFile.Progress = { _, _ in try Task.checkCancellation() }
  ) throws {
    for file in containers { try file.verifyIfNew(progress: progress) }
  }

  /// See `SafetensorsFile.assumeVerified`.
  package func assumeVerified() throws(WeightFileError) {
    for file in containers { try file.assumeVerified() }
  }
}
