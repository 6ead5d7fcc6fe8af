import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// A node that looks up rows of a table by their indices. Of the table, which may be most of a text encoder, only these
/// rows are read, into the node's working memory:
///
///     table `[V, C]`, indices `[n]`  →  the n rows `[n, C]`, indices 0, 1, …, n−1
struct TableLookup {
  let table: Value
  let indices: Value
  private let rows: TensorType
  private let positions: TensorType

  /// Nil for a node that has no table among its inputs. Its indices are the next input (`WeightRole.table`).
  init?(_ node: Node, of graph: Graph) {
    guard let place = node.inputs.firstIndex(where: { graph.weight($0)?.role == .table }) else { return nil }
    (table, indices) = (node.inputs[place], node.inputs[place + 1])
    let count = graph.type(indices).count
    rows = TensorType([count] + graph.type(table).shape.dropFirst(), element: graph.type(table).element)
    positions = TensorType([count], element: .i32)
  }

  /// Working memory for the rows and their indices.
  var byteCount: Int { rows.byteCount.aligned + positions.byteCount.aligned }

  /// Reads the rows that `ids` names to `place`, and drops them from the page cache.
  ///
  /// - Parameter ids: i32, each a row of the table.
  /// - Returns: what the node is given for the table and for the indices.
  /// - Throws: `WeightFileError` where the file cannot be read.
  func read(
    _ ids: TensorRef, from stored: StoredWeight, to place: UnsafeMutableRawPointer
  ) throws -> (rows: TensorRef, positions: TensorRef) {
    let wanted = UnsafeBufferPointer(
      start: ids.address.assumingMemoryBound(to: Int32.self), count: positions.count)
    let own = place.advanced(by: rows.byteCount.aligned).bindMemory(to: Int32.self, capacity: positions.count)
    let rowBytes = rows.byteCount / max(rows.shape[0], 1)
    for (i, id) in wanted.enumerated() {
      let row = UnsafeMutableRawBufferPointer(start: place + i * rowBytes, count: rowBytes)
      if i > 0, id == wanted[i - 1] {  // a prompt is filled up with one and the same token
        row.copyMemory(from: UnsafeRawBufferPointer(start: place + (i - 1) * rowBytes, count: rowBytes))
      } else {
        _ = try stored.read(Int(id)..<Int(id) + 1, into: row)
      }
      own[i] = Int32(i)
    }
    stored.dropCache()
    return (TensorRef(rows, at: place), TensorRef(positions, at: UnsafeMutableRawPointer(own)))
  }
}
