import Synchronization
import Tensors

/// Draws that were made elsewhere, replayed in order.
///
/// A run with the same method and parameters uses every draw; `unused` tells which it did not.
package final class RecordedTape: NoiseTape {
  package enum Draw: Sendable, Equatable {
    /// `[n, C, H, W]`.
    case normal(HostTensor)
    case integer(Int)
  }

  package let draws: [Draw]
  private let used = Mutex<Set<Int>>([])

  package init(_ draws: [Draw]) { self.draws = draws }

  /// Indices of draws that nobody asked for, ascending.
  package var unused: [Int] { used.withLock { used in draws.indices.filter { !used.contains($0) } } }

  package func normal(_ index: Int, count: Int, height: Int, width: Int, channels: Int) throws -> [Latent] {
    guard case .normal(let tensor) = try draw(index) else {
      throw EditError.tapeType(draw: index, expected: "a tensor", found: "an integer")
    }
    let shape = [count, channels, height, width]
    guard tensor.shape == shape else {
      throw EditError.tapeShape(draw: index, expected: shape, found: tensor.shape)
    }
    return Latent.unstacked(tensor)
  }

  package func integer(_ index: Int, in range: ClosedRange<Int>) throws -> Int {
    guard case .integer(let value) = try draw(index) else {
      throw EditError.tapeType(draw: index, expected: "an integer", found: "a tensor")
    }
    guard range.contains(value) else {
      throw EditError.tapeInteger(draw: index, value: value, range: range)
    }
    return value
  }

  private func draw(_ index: Int) throws(EditError) -> Draw {
    guard draws.indices.contains(index) else { throw .tapeEnded(draw: index, count: draws.count) }
    used.withLock { _ = $0.insert(index) }
    return draws[index]
  }
}
