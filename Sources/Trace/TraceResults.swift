import Editing
import Files
import Synchronization
import Tensors
import WeightStorage

/// Collects what a traced run computed and writes it as the other implementation lays it out.
public final class TraceResults: Sendable {
  private let reported = Mutex<[String: [HostTensor]]>([:])
  private let counts = Mutex<[String: [Int64]]>([:])
  private let finished = Mutex<[String: StoredTensor]>([:])
  private let counted = Mutex(0)

  /// Evaluations of the noise network that the method asked for.
  public internal(set) var evaluations: Int {
    get { counted.withLock { $0 } }
    set { counted.withLock { $0 = newValue } }
  }

  /// A method's observer: pictures and latents reported under one name are stacked to `[n, C, H, W]`, matrices to
  /// `[n, rows, columns]`.
  ///
  /// - Parameter names: that the format has for values that are called otherwise here.
  func observer(naming names: [String: String] = [:]) -> EditObserver {
    EditObserver(
      { [self] name, tensor in
        let name = names[name] ?? name
        reported.withLock { $0[name, default: []].append(tensor.shape.count == 3 ? tensor.toNCHW() : tensor) }
      },
      matrices: { [self] name, tensor in
        let one = HostTensor(shape: [1] + tensor.shape, values: tensor.values)
        reported.withLock { $0[name, default: []].append(one) }
      },
      counts: { [self] name, count in counts.withLock { $0[name, default: []].append(Int64(count)) } })
  }

  func add(_ name: String, _ tensor: HostTensor) {
    finished.withLock { $0[name] = StoredTensor(tensor.values, shape: tensor.shape) }
  }

  func add(_ name: String, _ latent: Latent) { add(name, latent.tensor.toNCHW()) }

  func add(_ name: String, _ values: [Int64], shape: [Int]) {
    finished.withLock { $0[name] = StoredTensor(values, shape: shape) }
  }

  func add(_ name: String, _ values: [UInt8], shape: [Int]) {
    finished.withLock { $0[name] = StoredTensor(values, shape: shape) }
  }

  /// Forgets everything but the values of these names.
  func keep(_ names: Set<String>) {
    reported.withLock { $0 = $0.filter { names.contains($0.key) } }
    counts.withLock { $0 = $0.filter { names.contains($0.key) } }
    finished.withLock { $0 = $0.filter { names.contains($0.key) } }
  }

  private func all() -> [String: StoredTensor] {
    let stacked = reported.withLock { reported in
      reported.mapValues { tensors in
        StoredTensor(
          tensors.flatMap(\.values),
          shape: [tensors.reduce(0) { $0 + $1.shape[0] }] + tensors[0].shape.dropFirst())
      }
    }
    let counted = counts.withLock { $0.mapValues { StoredTensor($0, shape: [$0.count]) } }
    return finished.withLock { $0.merging(stacked) { a, _ in a }.merging(counted) { a, _ in a } }
  }

  /// Writes all values as one safetensors file.
  public func write(to path: String) throws {
    try SafetensorsWriter.write(all(), to: path)
  }

  /// Whether an error says that `write` could not.
  public static func isWriteError(_ error: any Error) -> Bool {
    switch error {
    case WeightFileError.file(let error): error.isAboutWriting
    case let error as FileError: error.isAboutWriting
    default: false
    }
  }
}
