import CKernels
import Foundation
import Kernels
import Testing

/// What the processor is asked against what Linux says of it. Under QEMU an x86-64 program finds the real machine's
/// list beside an imitated processor.
@Suite("Processor features") struct ProcessorTests {
  /// Bits of `cpu_features`, and the words that `/proc/cpuinfo` has for what they stand for.
  #if arch(x86_64)
    private static let line = "flags"
    private static let words: [(feature: Int, names: [String])] = [
      (CPU_SSE41, ["ssse3", "sse4_1"]),
      (CPU_AVX2, ["avx2", "fma", "f16c"]),
      (CPU_AVXVNNI, ["avx2", "fma", "f16c", "avx_vnni"]),
      (CPU_AVX512, ["avx512f", "avx512dq", "avx512bw", "avx512vl", "avx2", "fma", "f16c"]),
      (
        CPU_AVX512VNNI, ["avx512_vnni", "avx512f", "avx512dq", "avx512bw", "avx512vl", "avx2", "fma", "f16c"]
      ),
      (CPU_SHA, ["sha_ni", "ssse3", "sse4_1"]),
    ]
  #else
    private static let line = "Features"
    private static let words: [(feature: Int, names: [String])] = [
      (CPU_NEON, ["asimd"]), (CPU_NEON_DOTPROD, ["asimd", "asimddp"]), (CPU_NEON_I8MM, ["asimd", "i8mm"]),
      (CPU_SHA, ["asimd", "sha2"]),
    ]
  #endif

  private static let listed: Set<String>? = {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
    let lines = text.split(separator: "\n").filter { $0.hasPrefix(line) }
    guard let colon = lines.first?.firstIndex(of: ":") else { return nil }
    return Set(lines[0][colon...].dropFirst().split(separator: " ").map(String.init))
  }()

  #if arch(x86_64)
    private static let isImitated = getenv("QEMU_CPU") != nil
  #else
    private static let isImitated = false
  #endif

  @Test("are those that Linux lists", .enabled(if: listed != nil && !isImitated))
  func linux() throws {
    let listed = try #require(Self.listed)
    for (feature, names) in Self.words {
      let isOffered = Int(cpu_features()) & feature != 0
      #expect(isOffered == listed.isSuperset(of: names), "\(names)")
    }
  }

  @Test("decide which sets run, the best of them last")
  func sets() {
    for index in 0..<kernel_set_count() {
      let set = kernel_set_at(index).pointee
      let runs = KernelSet.runnable.contains { $0.name == String(cString: set.name) }
      #expect(runs == (set.needs & ~cpu_features() == 0))
    }
    // A set is never listed before one whose instructions it includes.
    let needs = KernelSet.runnable.map(\.table.pointee.needs)
    for (i, need) in needs.enumerated() {
      for later in needs[i...] { #expect(later == need || later | need != need) }
    }
  }
}
