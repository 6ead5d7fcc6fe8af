import StableDiffusion
import Synchronization

/// A tokenizer that is made when it is first asked for: CLIP's 49,000 merges take longer to read than everything
/// else about a container.
package final class LazyTokenizer: Sendable {
  private let make: @Sendable () throws -> Tokenizer
  private let made = Mutex<Tokenizer?>(nil)

  init(_ make: @escaping @Sendable () throws -> Tokenizer) { self.make = make }

  /// - Throws: `WeightFileError`, `TokenizerError`.
  package func callAsFunction() throws -> Tokenizer {
    try made.withLock { tokenizer in
      if let tokenizer { return tokenizer }
      let fresh = try make()
      tokenizer = fresh
      return fresh
    }
  }
}
