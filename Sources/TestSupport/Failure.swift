/// The error of a type with which `body` fails; nil where it does not, or fails otherwise.
///
/// (`#expect(throws:)` returns it only from Swift 6.1 on.)
package func failure<E: Error, R>(_ type: E.Type, of body: () throws -> R) -> E? {
  do {
    _ = try body()
    return nil
  } catch {
    return error as? E
  }
}
