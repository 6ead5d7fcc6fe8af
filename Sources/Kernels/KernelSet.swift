import CKernels
import Platform

/// The microkernels of one instruction set: what the `KERNEL_SETS` list of `ckernels.h` names.
///
/// `@unchecked Sendable`: the table is a constant of the program and is never written.
package struct KernelSet: @unchecked Sendable, CustomStringConvertible {
  /// The C table, for tests and benchmarks of single kernels.
  package let table: UnsafePointer<kernel_set>

  /// "avx2" or "neondot": the first word of a line of `KERNEL_SETS`.
  package var name: String { String(cString: table.pointee.name) }

  /// Rows and columns of the GEMM tile.
  package var tile: (rows: Int, columns: Int) {
    (Int(table.pointee.gemm_rows), Int(table.pointee.gemm_columns))
  }

  /// Rows and columns of the int8 GEMM tile.
  package var int8Tile: (rows: Int, columns: Int) {
    (Int(table.pointee.s8_rows), Int(table.pointee.s8_columns))
  }

  package var description: String {
    "\(name) (gemm \(tile.rows)×\(tile.columns), int8 \(int8Tile.rows)×\(int8Tile.columns))"
  }

  /// Every set this processor and its operating system can run, the best last.
  package static let runnable: [KernelSet] = {
    let features = cpu_features()
    return (0..<kernel_set_count()).map { KernelSet(table: kernel_set_at($0)) }
      .filter { $0.table.pointee.needs & ~features == 0 }
  }()

  /// The set that the environment variable `PENTIMENTO_ISA` names, otherwise the best one. Read once.
  package static let chosen: KernelSet = {
    guard let wish else { return runnable.last! }
    guard let set = named(wish) else { preconditionFailure(misnamed!) }
    return set
  }()

  /// What `PENTIMENTO_ISA` says; nil if it is not set, or empty.
  private static var wish: String? {
    guard let text = getenv("PENTIMENTO_ISA"), text.pointee != 0 else { return nil }
    return String(cString: text)
  }

  /// What is wrong with `PENTIMENTO_ISA`; nil if it is not set or names a set that runs here. Whoever asks first can
  /// say so before `chosen` ends the process.
  package static var misnamed: String? {
    guard let wish, named(wish) == nil else { return nil }
    let names = runnable.map(\.name).joined(separator: ", ")
    return "PENTIMENTO_ISA is \"\(wish)\", and this processor runs \(names)"
  }

  package static func named(_ name: String) -> KernelSet? { runnable.first { $0.name == name } }
}
