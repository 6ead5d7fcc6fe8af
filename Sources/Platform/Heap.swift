import CPlatform

/// The memory of arrays and objects, of which the C library keeps what is freed.
package enum Heap {
  /// Has large blocks go back to the system when they are freed, and threads share their heaps: for the whole process and
  /// for good, so it is a program's business, not a library's.
  package static func keepSmall() { cplatform_keep_heap_small() }

  /// Bytes of address space that the process may have; nil without a limit.
  package static var addressSpace: Int? {
    let limit = cplatform_address_space()
    return limit < 0 ? nil : Int(limit)
  }

  /// Gives back what is free now.
  package static func trim() { cplatform_trim_heap() }
}
