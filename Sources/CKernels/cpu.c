#include "ckernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* Which register files the operating system saves: XCR0 bits 1, 2 (AVX) and 5, 6, 7 (AVX-512). */
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

uint32_t cpu_features(void) {
  uint32_t a, b, c, d, features = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  /* SHA and its helpers need no registers beyond those every system saves. */
  const uint32_t ssse3 = 1u << 9, sse41 = 1u << 19;
  uint32_t b7, c7, d7;
  if ((c & (ssse3 | sse41)) == (ssse3 | sse41) && __get_cpuid_count(7, 0, &a, &b7, &c7, &d7) &&
      (b7 & (1u << 29)))
    features |= CPU_SHA;
  const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
  if ((c & (fma | osxsave | avx | f16c)) != (fma | osxsave | avx | f16c)) return features;
  uint64_t saved = saved_state();
  if ((saved & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  if (b & (1u << 5)) features |= CPU_AVX2;
  const uint32_t f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
  if ((saved & 0xe6) == 0xe6 && (b & (f | dq | bw | vl)) == (f | dq | bw | vl)) {
    features |= CPU_AVX512;
    if (c & (1u << 11)) features |= CPU_AVX512VNNI;
  }
  return features;
}

#elif defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#endif

/* Advanced SIMD belongs to every 64-bit Arm that runs Linux; the kernel says so in bit 1. The
 * dot product is bit 20, SHA-256 bit 6; every Mac with such a processor has both.                */
uint32_t cpu_features(void) {
#if defined(__linux__)
  unsigned long bits = getauxval(AT_HWCAP);
  if (!(bits & (1ul << 1))) return 0;
  return CPU_NEON | ((bits & (1ul << 20)) ? CPU_NEON_DOTPROD : 0) | ((bits & (1ul << 6)) ? CPU_SHA : 0);
#else
  return CPU_NEON | CPU_NEON_DOTPROD | CPU_SHA;
#endif
}

#else
uint32_t cpu_features(void) { return 0; }
#endif
