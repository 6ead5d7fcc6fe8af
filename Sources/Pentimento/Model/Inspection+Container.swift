import FoundationEssentials
import Packing
import WeightStorage

extension Inspection {
  /// What a container says of itself, a line each.
  static func lines(_ container: ContainerFile) throws -> [String] {
    let report = try container.table(.report)
    let provenance = try container.table(.provenance)
    let rotations = try container.table(.rotations).keys.count
    let wide = try container.table(.activations).keys.count
    var lines = [
      "container    version \(container.version), \(try report["weights"].string()) weights, scales by "
        + "\(try report["scales"].string())" + (rotations == 0 ? "" : ", \(rotations) weights rotated")
        + (wide == 0 ? "" : ", \(wide) weights with activations of 16 bits")
    ]
    let losses = try report["snr"].keys.map { (try report["snr"][$0].real(), $0) }
    if let (worst, name) = losses.min(by: { $0 < $1 }) {
      lines.append("             signal to noise at least \(worst) dB (\(name))")
    }
    lines.append("source       SHA-256 \(try provenance["source_sha256"].string())")
    lines.append("written by   \(try provenance["tool"].string())")
    return lines
  }

  /// Compares every tensor of a container with the hash that was taken when it was written.
  ///
  /// - Returns: a sentence for the user.
  /// - Throws: `WeightFileError.damagedTensor` naming the first that differs; `noHashes` for a file that has none.
  public static func verify(_ path: String) throws -> String {
    let count = try container(path).verify()
    return "\(path): all \(count) tensors are as they were written"
  }

  /// - Throws: `WeightFileError.noHashes` for what is no container.
  static func container(_ path: String) throws -> ContainerFile {
    var isFolder = false
    _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard !isFolder, let file = try openTensorFile(path: path) as? SafetensorsFile,
      ContainerFile.isContainer(file)
    else { throw WeightFileError.noHashes(file: path) }
    return try ContainerFile(file)
  }
}
