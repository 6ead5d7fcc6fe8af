import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// Brings a tensor of a checkpoint into the layout of the kernels. (Those of a container are there already: the
/// executor uses them where their file is mapped.)
///
/// Rows come through a staging buffer in blocks of a megabyte, and their pages are dropped from the page
/// cache behind them, so that loading costs no second copy of the model.
struct WeightLoader {
  let weight: Weight
  let stored: StoredWeight

  /// Rows of a GEMM weight are moved in blocks of about this size.
  private static let blockBytes = 1 << 20

  /// Staging that `load` needs for one weight.
  static func stagingBytes(_ weight: Weight, bytes: Int) -> Int {
    switch weight.role {
    case .vector: bytes.aligned
    case .table: 0
    case .matrix, .convolution: rowsPerBlock(weight, bytes) * rowBytes(weight, bytes)
    }
  }

  /// Fills `destination` with the weight in the layout of `weight.type(storedAs:)`.
  ///
  /// - Throws: `WeightFileError` where the file cannot be read.
  func load(
    into destination: UnsafeMutableRawPointer, staging: borrowing MemoryRegion, pool: ThreadPool
  ) throws {
    let element = stored.format.element
    switch weight.role {
    case .vector: try loadVector(element, into: destination, staging)
    case .table: preconditionFailure("\(weight.name) is looked up row by row")
    case .matrix, .convolution:
      let bytes = weight.type(storedAs: element).byteCount
      let block = Self.rowsPerBlock(weight, bytes)
      let rowBytes = Self.rowBytes(weight, bytes)
      for start in stride(from: 0, to: weight.shape[0], by: block) {
        let rows = start..<min(start + block, weight.shape[0])
        let source = try stored.read(rows, into: staging.bytes)
        let panels = UnsafeMutableRawBufferPointer(
          start: destination + start * rowBytes, count: (rows.count + 15) / 16 * 16 * rowBytes)
        packPanels(
          source, element: element, checkpointShape: weight.shape, rows: rows, into: panels, pool)
        stored.dropCache(rows)
      }
    }
  }

  /// Vectors are small and become Float32.
  private func loadVector(
    _ element: ElementType, into destination: UnsafeMutableRawPointer, _ staging: borrowing MemoryRegion
  ) throws {
    let source = try stored.read(0..<weight.shape[0], into: staging.bytes)
    convertToFloat(
      source, element: element,
      into: destination.bindMemory(to: Float.self, capacity: weight.shape.reduce(1, *)))
    stored.dropCache()
  }

  private static func rowBytes(_ weight: Weight, _ bytes: Int) -> Int {
    bytes / ((weight.shape[0] + 15) / 16 * 16)
  }

  private static func rowsPerBlock(_ weight: Weight, _ bytes: Int) -> Int {
    max(blockBytes / rowBytes(weight, bytes) / 16, 1) * 16
  }
}
