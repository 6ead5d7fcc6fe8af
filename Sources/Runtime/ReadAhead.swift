import NeuralGraph

/// Which weights to ask the system for before their turn: those that are fetched next, in this pass and into the one
/// after it, as many as there is room for. While a node computes for long, weights of several small ones come.
package struct ReadAhead {
  /// Room for what was asked for and is not in use yet.
  package let bytes: Int
  private var fetches: [(value: Value, bytes: Int)] = []
  /// Fetches of this pass so far.
  private var done = 0
  /// Of these and the ones after them, how many were asked for; beyond the pass's own they are the next one's.
  private var asked = 0
  /// Bytes that were asked for and not fetched.
  private var waiting = 0

  package init(bytes: Int) { self.bytes = bytes }

  /// A pass begins that fetches these, in this order. Passes of all kinds begin alike, so what the last one asked for
  /// holds; after one that was cut short nothing does.
  package mutating func begin(_ fetches: [(value: Value, bytes: Int)]) {
    asked = done == self.fetches.count ? min(max(asked - done, 0), fetches.count) : 0
    (self.fetches, done) = (fetches, 0)
    waiting = fetches[..<asked].reduce(0) { $0 + $1.bytes }
  }

  /// The next fetch took place.
  package mutating func isFetched() {
    if done < asked { waiting -= fetches[done].bytes } else { asked = done + 1 }
    done += 1
  }

  /// - Parameter prefetch: asks for one weight, and does not wait.
  package mutating func ask(_ prefetch: (Value) -> Void) {
    while asked - done < fetches.count {
      let next = fetches[asked % fetches.count]
      guard waiting + next.bytes <= bytes else { return }
      prefetch(next.value)
      waiting += next.bytes
      asked += 1
    }
  }
}
