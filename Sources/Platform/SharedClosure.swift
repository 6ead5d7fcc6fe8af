import CPlatform

/// The address of a closure that does not escape, for threads to call while its owner waits for them.
///
/// `withoutActuallyEscaping` makes two objects on the heap for that, which takes longer than all else of a small loop.
/// Swift has no address of a closure to give, so a function of `CPlatform` receives code and context as they are
/// passed.
///
/// `@unchecked Sendable`: whoever calls it on another thread answers for the closure being fit for that.
package struct SharedClosure: @unchecked Sendable {
  private let closure: OpaquePointer

  package func callAsFunction(_ a: Int, _ b: Int) { cplatform_call(closure, a, b) }

  /// Calls `use`, which captures nothing, with `argument` and `body`, which is good until `use` returns.
  package static func with(
    _ body: (Int, Int) -> Void, _ argument: UnsafeMutableRawPointer,
    use: @convention(c) (OpaquePointer, UnsafeMutableRawPointer) -> Void
  ) {
    passClosure(body, use, argument)
  }

  package init(_ closure: OpaquePointer) { self.closure = closure }
}

@_silgen_name("cplatform_with_closure")
private func passClosure(
  _ body: (Int, Int) -> Void, _ use: @convention(c) (OpaquePointer, UnsafeMutableRawPointer) -> Void,
  _ argument: UnsafeMutableRawPointer)
