import CKernels
import Tensors

/// What happens to every row (a token, a pixel) of x on its way into a product, so that what comes of it never exists
/// as a whole:
///
///     n = γ·(x − μ)/σ + β    where there is a normalization
///     a = n·sigmoid(n)       where it is activated by SiLU, max(n, 0) by ReLU
package struct Prologue {
  package enum Normalization {
    /// stats `[groups, 2]` = (μ, 1/σ) of the whole picture, gamma, beta `[C]`; see `groupStatistics`.
    case groups(stats: TensorRef, gamma: TensorRef, beta: TensorRef)
    /// μ and σ² + ε of every row by itself, gamma, beta `[C]`; see `layerNorm`.
    case rows(gamma: TensorRef, beta: TensorRef, epsilon: Float)
  }

  package enum Activation: Hashable, Sendable { case silu, relu }

  package var normalization: Normalization?
  package var activation: Activation?

  package init(_ normalization: Normalization? = nil, _ activation: Activation? = nil) {
    (self.normalization, self.activation) = (normalization, activation)
  }

  package static var none: Prologue { Prologue() }

  var isNone: Bool { normalization == nil && activation == nil }
}

/// What is added to a tile of a product while it is still in the nearest cache, each sum rounded by itself and in this
/// order: the bits are those of separate passes.
///
///     y[r][n] = residual[r][n] + (product[r][n] + channels[n])
package struct Epilogue {
  /// `[N]`: a vector that is the same in every row, such as a time embedding.
  package var channels: TensorRef?
  /// Of y's shape. It may be y: a row is read before it is written.
  package var residual: TensorRef?

  package init(channels: TensorRef? = nil, residual: TensorRef? = nil) {
    (self.channels, self.residual) = (channels, residual)
  }

  package static var none: Epilogue { Epilogue() }

  var isNone: Bool { channels == nil && residual == nil }

  /// The same with y as rows.
  package var rows: Epilogue {
    Epilogue(channels: channels, residual: residual.map { TensorRef($0.type.asRows, at: $0.address) })
  }

  /// The same for some lines of y.
  package func lines(_ range: Range<Int>) -> Epilogue {
    Epilogue(channels: channels, residual: residual?.lines(range))
  }

  /// - Precondition: the shapes are those of a product with so many rows and columns.
  func checked(rows: Int, columns: Int) -> TileEpilogue {
    if let residual { precondition(residual.rowsAndColumns == (rows, columns), "residual \(residual.shape)") }
    return TileEpilogue(
      channels: (channels?.vector(columns, "channels")).map { UnsafePointer($0) },
      residual: (residual?.floats).map { UnsafePointer($0) }, columns: columns)
  }
}

/// An epilogue by its addresses.
struct TileEpilogue {
  let channels: UnsafePointer<Float>?
  let residual: UnsafePointer<Float>?
  let columns: Int

  var isNone: Bool { channels == nil && residual == nil }

  /// Finishes `rows` rows of `count` columns that lie `stride` floats apart in `tile`, the corner of y being at `row` and
  /// `column`.
  @inline(__always)
  func finish(
    _ tile: UnsafePointer<Float>, stride: Int, rows: Int, count: Int, row: Int, column: Int,
    into y: UnsafeMutablePointer<Float>, _ kernels: UnsafePointer<kernel_set>
  ) {
    let corner = row * columns + column
    kernels.pointee.finish_tile(
      rows, count, tile, stride, channels.map { $0 + column }, residual.map { $0 + corner },
      columns, y + corner, columns)
  }
}

extension TensorType {
  /// `[…, C]` as `[rows, C]`.
  fileprivate var asRows: TensorType { TensorType([count / shape.last!, shape.last!]) }
}

extension TensorRef {
  /// Lines of a picture `[H, W, C]`, or rows `[rows, C]`.
  package func lines(_ range: Range<Int>) -> TensorRef {
    let line = type.shape.dropFirst().reduce(1, *) * type.element.byteCount
    return TensorRef(
      TensorType([range.count] + type.shape.dropFirst()), at: address + range.lowerBound * line)
  }
}

/// A prologue with the vectors that it reads for every row.
struct RowTransform {
  private let prologue: Prologue
  private let channels: Int
  private let rotation: Int?
  /// Of group norm: μ and 1/σ of every channel.
  private let mean: UnsafeMutablePointer<Float>, rsigma: UnsafeMutablePointer<Float>
  private let gamma: UnsafePointer<Float>?, beta: UnsafePointer<Float>?
  private let set: UnsafePointer<kernel_set>

  /// Floats of scratch for rows of so many channels.
  static func floats(_ channels: Int) -> Int { 2 * ((channels + 15) / 16 * 16) }

  /// - Parameter scratch: `floats(channels)` floats, aligned.
  init(
    _ prologue: Prologue, channels: Int, rotation: Int?, scratch: UnsafeMutablePointer<Float>,
    _ kernels: KernelSet
  ) {
    (self.prologue, self.channels, self.rotation, set) = (prologue, channels, rotation, kernels.table)
    (mean, rsigma) = (scratch, scratch + Self.floats(channels) / 2)
    switch prologue.normalization {
    case .groups(let stats, let gamma, let beta):
      let (statistics, size) = (stats.floats, 2 * channels / stats.type.count)
      precondition(
        size * stats.type.count == 2 * channels, "statistics \(stats.shape) for \(channels) channels")
      for i in 0..<channels {
        (mean[i], rsigma[i]) = (statistics[2 * (i / size)], statistics[2 * (i / size) + 1])
      }
      self.gamma = UnsafePointer(gamma.vector(channels, "gamma"))
      self.beta = UnsafePointer(beta.vector(channels, "beta"))
    case .rows(let gamma, let beta, _):
      self.gamma = UnsafePointer(gamma.vector(channels, "gamma"))
      self.beta = UnsafePointer(beta.vector(channels, "beta"))
    case nil: (gamma, beta) = (nil, nil)
    }
  }

  /// Brings a row into y, or answers with x where nothing happens to it. The bits are those of the operators by
  /// themselves.
  func callAsFunction(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    var row = x
    switch prologue.normalization {
    case .groups:
      set.pointee.normalize(channels, row, mean, rsigma, 1, gamma!, beta!, y)
      row = UnsafePointer(y)
    case .rows(_, _, let epsilon):
      var stat = rowStatistics(row, channels, epsilon, set)
      set.pointee.normalize(channels, row, &stat.mean, &stat.rsigma, 0, gamma!, beta!, y)
      row = UnsafePointer(y)
    case nil: break
    }
    switch prologue.activation {
    case .silu:
      set.pointee.silu(channels, row, y)
      row = UnsafePointer(y)
    case .relu:
      relu_row(channels, row, y)
      row = UnsafePointer(y)
    case nil: break
    }
    if let rotation {
      set.pointee.hadamard(channels, rotation, row, y)
      row = UnsafePointer(y)
    }
    return row
  }
}

/// Scratch of `prepareRows` and of the `quantizeRows` with a prologue for rows of so many channels.
package func prologueScratchBytes(channels: Int, threads: Int) -> Int {
  ScratchCursor.bytes(
    [RowTransform.floats(channels) * 4] + Array(repeating: channels * 4, count: threads))
}

/// Brings rows of x through a prologue and a rotation into y of x's shape.
package func prepareRows(
  _ x: TensorRef, _ prologue: Prologue, rotatedBy rotation: Int? = nil, into y: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let (rows, channels) = x.rowsAndColumns
  precondition(x.shape == y.shape, "prepareRows: \(x.shape) into \(y.shape)")
  var cursor = ScratchCursor(scratch)
  let vectors = cursor.take(RowTransform.floats(channels), of: Float.self)
  let transform = RowTransform(
    prologue, channels: channels, rotation: rotation, scratch: vectors, pool.kernels)
  let (from, to) = (x.floats, y.floats)
  byRows(rows, channels, pool) { row in
    let target = to + row * channels
    let result = transform(from + row * channels, target)
    if result != UnsafePointer(target) { target.update(from: result, count: channels) }
  }
}

/// Quantizes rows of x after a prologue and a rotation; one row of floats a thread is all that exists in between.
///
/// x `[…, K]` → rows of the same shape.
package func quantizeRows(
  _ x: TensorRef, _ prologue: Prologue, rotatedBy rotation: Int?, into rows: Int8Rows,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let channels = x.shape.last!
  precondition(x.shape == rows.shape, "quantizeRows: \(x.shape) into \(rows.shape)")
  var cursor = ScratchCursor(scratch)
  let vectors = cursor.take(RowTransform.floats(channels), of: Float.self)
  let buffers = (0..<pool.threads).map { _ in cursor.take(channels, of: Float.self) }
  let transform = RowTransform(
    prologue, channels: channels, rotation: rotation, scratch: vectors, pool.kernels)
  let set = pool.kernels.table
  let from = UnsafePointer(x.floats)
  let some = max(1, 8192 / max(channels, 1))
  pool.run((rows.rows + some - 1) / some) { piece, thread in
    for row in piece * some..<min(rows.rows, (piece + 1) * some) {
      rows.quantize(row, transform(from + row * channels, buffers[thread]), set)
    }
  }
}
