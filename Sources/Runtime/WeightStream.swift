import Kernels
import NeuralGraph
import Platform

/// Weights that are brought to the window together: those that a node reads and that were not there.
struct WeightBlock: Equatable {
  let weights: [(value: Value, offset: Int)]
  let byteCount: Int

  init(_ values: [Value], of graph: Graph) {
    var (weights, end): ([(value: Value, offset: Int)], Int) = ([], 0)
    for value in values {
      weights.append((value, end))
      end += graph.type(value).byteCount.aligned
    }
    (self.weights, byteCount) = (weights, end)
  }

  static func == (a: WeightBlock, b: WeightBlock) -> Bool {
    a.weights.elementsEqual(b.weights) { $0.value == $1.value }
  }
}

/// A thread that reads streamed weights into the window, ahead of the walk that uses them, as far as there is room.
///
/// The walk takes one block after another and lets each go when its last node has run; the thread fills what is free.
/// A weight is never used before all of its block has been read.
///
/// `@unchecked Sendable`: what both threads touch lies in `shared`, under its mutex; the window's bytes belong to the
/// reading thread from the moment when a block is placed to the moment when it is ready, and to the walk from then on.
final class WeightStream: @unchecked Sendable {
  private let shared = UnsafeMutablePointer<Shared>.allocate(capacity: 1)
  private let window: UnsafeMutableRawPointer
  private var thread: SystemThread?

  private struct Shared {
    var mutex = pthread_mutex_t(), changed = pthread_cond_t()
    /// Of the pass.
    var blocks: [WeightBlock] = []
    /// Whether a pass like this one follows.
    var goesOn = false
    var ring: WindowRing
    /// Blocks in the window that the walk has not taken, the oldest first; one is being read at most, the last.
    var placed: [(block: WeightBlock, offset: Int, isReady: Bool)] = []
    /// The block that is placed next; beyond those of the pass, one of the next pass.
    var next = 0
    /// Blocks that the walk has taken in this pass.
    var taken = 0
    /// Bytes of the one that it has not released.
    var held: Range<Int>?
    var isReading = false
    var isClosing = false
    var failure: (any Error)?
    var traffic = WeightTraffic()

    /// Whether there is something to read.
    var hasWork: Bool {
      failure == nil && !blocks.isEmpty && next < blocks.count * (goesOn ? 2 : 1)
    }
  }

  /// - Parameters:
  ///   - window: bytes for the blocks.
  ///   - pool: packs what has to be packed, on the reading thread.
  /// - Throws: `SystemRefusal.thread`.
  init(_ reader: WeightReader, window: borrowing MemoryRegion, byteCount: Int, pool: ThreadPool) throws {
    self.window = window.address
    shared.initialize(to: Shared(ring: WindowRing(byteCount: byteCount)))
    pthread_mutex_init(&shared.pointee.mutex, nil)
    pthread_cond_init(&shared.pointee.changed, nil)
    let life = Life(shared: shared, window: window.address, reader: reader, pool: pool)
    thread = try SystemThread { life.run() }
  }

  deinit {
    lock()
    shared.pointee.isClosing = true
    unlock()
    thread?.join()
    pthread_cond_destroy(&shared.pointee.changed)
    pthread_mutex_destroy(&shared.pointee.mutex)
    shared.deinitialize(count: 1)
    shared.deallocate()
  }

  var traffic: WeightTraffic {
    lock()
    defer { unlock() }
    return shared.pointee.traffic
  }

  /// A pass begins that takes these blocks in this order.
  ///
  /// - Parameter goesOn: a pass that begins alike follows, so its first blocks are read as soon as there is room.
  func begin(_ blocks: [WeightBlock], goesOn: Bool) {
    lock()
    defer { unlock() }
    // What was read ahead is of use if this pass begins with it.
    let ended = shared.pointee.taken == shared.pointee.blocks.count && shared.pointee.held == nil
    let isKnown =
      ended && shared.pointee.failure == nil && shared.pointee.placed.count <= blocks.count
      && zip(shared.pointee.placed, blocks).allSatisfy { $0.block == $1 }
    if !isKnown {
      (shared.pointee.blocks, shared.pointee.next) = ([], 0)
      while shared.pointee.isReading { wait() }
      shared.pointee.ring = WindowRing(byteCount: shared.pointee.ring.byteCount)
      (shared.pointee.placed, shared.pointee.held, shared.pointee.failure) = ([], nil, nil)
    }
    (shared.pointee.blocks, shared.pointee.goesOn) = (blocks, goesOn)
    (shared.pointee.next, shared.pointee.taken) = (shared.pointee.placed.count, 0)
    shared.pointee.traffic.passes += 1
  }

  /// Waits for the next block.
  ///
  /// - Returns: where its weights lie.
  /// - Throws: what reading has thrown.
  func take() throws -> [Value: UnsafeMutableRawPointer] {
    lock()
    defer { unlock() }
    if shared.pointee.placed.first?.isReady != true {
      let start = ContinuousClock.now
      defer { shared.pointee.traffic.stalled += ContinuousClock.now - start }
      repeat {
        if let failure = shared.pointee.failure { throw failure }
        wait()
      } while shared.pointee.placed.first?.isReady != true
    }
    let (block, offset, _) = shared.pointee.placed.removeFirst()
    shared.pointee.taken += 1
    shared.pointee.held = offset..<offset + block.byteCount
    return Dictionary(uniqueKeysWithValues: block.weights.map { ($0.value, window + (offset + $0.offset)) })
  }

  /// The block that was taken is not needed any more.
  ///
  /// - Parameter pattern: what its bytes become.
  func release(filling pattern: UInt8? = nil) {
    lock()
    defer { unlock() }
    guard let held = shared.pointee.held else { return }
    if let pattern {
      (window + held.lowerBound).initializeMemory(as: UInt8.self, repeating: pattern, count: held.count)
    }
    shared.pointee.held = nil
    shared.pointee.ring.release()
  }

  private func lock() { pthread_mutex_lock(&shared.pointee.mutex) }
  private func wait() { pthread_cond_wait(&shared.pointee.changed, &shared.pointee.mutex) }
  private func unlock() {
    pthread_cond_broadcast(&shared.pointee.changed)
    pthread_mutex_unlock(&shared.pointee.mutex)
  }

  /// What the thread needs.
  private struct Life: @unchecked Sendable {
    let shared: UnsafeMutablePointer<Shared>
    let window: UnsafeMutableRawPointer
    let reader: WeightReader
    let pool: ThreadPool

    func run() {
      pthread_mutex_lock(&shared.pointee.mutex)
      while !shared.pointee.isClosing {
        guard shared.pointee.hasWork, let (block, offset) = place() else {
          pthread_cond_wait(&shared.pointee.changed, &shared.pointee.mutex)
          continue
        }
        pthread_mutex_unlock(&shared.pointee.mutex)
        let (start, before) = (ContinuousClock.now, reader.bytes)
        var failure: (any Error)?
        do {
          for (value, place) in block.weights {
            try reader.read(value, to: window + (offset + place), pool) {
              if isClosing { throw CancellationError() }
            }
          }
        } catch let error { failure = error }
        pthread_mutex_lock(&shared.pointee.mutex)
        shared.pointee.traffic.reading += ContinuousClock.now - start
        shared.pointee.traffic.bytes += reader.bytes - before
        (shared.pointee.isReading, shared.pointee.failure) = (false, failure)
        if failure == nil, let last = shared.pointee.placed.indices.last {
          shared.pointee.placed[last].isReady = true
        }
        pthread_cond_broadcast(&shared.pointee.changed)
      }
      pthread_mutex_unlock(&shared.pointee.mutex)
      reader.finish()
    }

    /// The block that is read next and its place, nil while there is none.
    private func place() -> (WeightBlock, Int)? {
      let block = shared.pointee.blocks[shared.pointee.next % shared.pointee.blocks.count]
      guard let offset = shared.pointee.ring.place(block.byteCount) else { return nil }
      shared.pointee.placed.append((block, offset, false))
      shared.pointee.next += 1
      shared.pointee.isReading = true
      return (block, offset)
    }

    private var isClosing: Bool {
      pthread_mutex_lock(&shared.pointee.mutex)
      defer { pthread_mutex_unlock(&shared.pointee.mutex) }
      return shared.pointee.isClosing
    }
  }
}

/// What reading weights again and again took.
package struct WeightTraffic: Sendable, Hashable {
  /// Passes over the network.
  package var passes = 0
  /// Bytes that were read into the window.
  package var bytes = 0
  /// Time for which the reading thread read.
  package var reading = Duration.zero
  /// Time for which the walk waited for it.
  package var stalled = Duration.zero

  package init() {}

  package static func + (a: WeightTraffic, b: WeightTraffic) -> WeightTraffic {
    var sum = a
    sum.passes += b.passes
    sum.bytes += b.bytes
    sum.reading += b.reading
    sum.stalled += b.stalled
    return sum
  }
}
