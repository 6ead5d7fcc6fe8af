import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// Brings tensors of a checkpoint into the layout of the kernels. (Those of a container are there already: the
/// executor uses them where their file is mapped.)
///
/// Rows come through a staging buffer in blocks of a few megabytes, and their pages are dropped from the page
/// cache behind them, so that loading costs no second copy of the model.
struct WeightLoader {
  let checkpoint: Checkpoint

  /// Rows of a GEMM weight are moved in blocks of about this size.
  private static let blockBytes = 4 << 20

  /// Staging that `load` needs for one weight.
  static func stagingBytes(_ weight: Weight, bytes: Int) -> Int {
    switch weight.role {
    case .vector: bytes.aligned
    case .table: 0
    case .matrix, .convolution: rowsPerBlock(weight, bytes) * rowBytes(weight, bytes)
    }
  }

  /// Fills `destination` with a weight in the layout of `weight.type(storedAs:)`.
  func load(
    _ weight: Weight, into destination: UnsafeMutableRawPointer, staging: borrowing MemoryRegion,
    pool: ThreadPool
  ) throws {
    let element = try checkpoint.element(of: weight.name)
    let bytes = weight.type(storedAs: element).byteCount
    switch weight.role {
    case .vector: try loadVector(weight, element, into: destination, staging)
    case .table: try loadTable(weight, bytes, into: destination)
    case .matrix, .convolution:
      let block = Self.rowsPerBlock(weight, bytes)
      let rowBytes = Self.rowBytes(weight, bytes)
      for start in stride(from: 0, to: weight.shape[0], by: block) {
        let rows = start..<min(start + block, weight.shape[0])
        let source = try checkpoint.read(rows, of: weight.name, into: staging.bytes)
        let panels = UnsafeMutableRawBufferPointer(
          start: destination + start * rowBytes, count: (rows.count + 15) / 16 * 16 * rowBytes)
        packPanels(
          source, element: element, checkpointShape: weight.shape, rows: rows, into: panels, pool)
        try checkpoint.dropCache(of: weight.name, rows: rows)
      }
    }
  }

  /// Vectors are small and become Float32.
  private func loadVector(
    _ weight: Weight, _ element: ElementType, into destination: UnsafeMutableRawPointer,
    _ staging: borrowing MemoryRegion
  ) throws {
    let stored = try checkpoint.read(0..<weight.shape[0], of: weight.name, into: staging.bytes)
    convertToFloat(
      stored, element: element,
      into: destination.bindMemory(to: Float.self, capacity: weight.shape.reduce(1, *)))
    try checkpoint.dropCache(of: weight.name)
  }

  /// Tables lie in memory as they do in the file.
  private func loadTable(_ weight: Weight, _ bytes: Int, into destination: UnsafeMutableRawPointer) throws {
    let window = UnsafeMutableRawBufferPointer(start: destination, count: bytes)
    _ = try checkpoint.read(0..<weight.shape[0], of: weight.name, into: window)
    try checkpoint.dropCache(of: weight.name)
  }

  private static func rowBytes(_ weight: Weight, _ bytes: Int) -> Int {
    bytes / ((weight.shape[0] + 15) / 16 * 16)
  }

  private static func rowsPerBlock(_ weight: Weight, _ bytes: Int) -> Int {
    max(blockBytes / rowBytes(weight, bytes) / 16, 1) * 16
  }
}
