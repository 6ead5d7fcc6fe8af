import Kernels

extension ThreadPool {
  /// A pool for a test, which has nothing to say where the system has no threads.
  package static func of(_ threads: Int, kernels: KernelSet = .chosen) -> ThreadPool {
    try! ThreadPool(threads: threads, kernels: kernels)
  }
}
