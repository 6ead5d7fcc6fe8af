import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// Brings tensors of a checkpoint into the layout of the kernels.
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
    case .vector, .table: min(blockBytes, bytes).aligned
    case .matrix, .convolution: rowsPerBlock(weight, bytes) * rowBytes(weight, bytes)
    }
  }

  private static func rowBytes(_ weight: Weight, _ bytes: Int) -> Int {
    bytes / ((weight.shape[0] + 15) / 16 * 16)
  }

  private static func rowsPerBlock(_ weight: Weight, _ bytes: Int) -> Int {
    max(blockBytes / rowBytes(weight, bytes) / 16, 1) * 16
  }
}
