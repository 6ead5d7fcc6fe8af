#include "ckernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* Which register files the operating system saves: XCR0 bits 1, 2 (AVX) and 5, 6, 7 (AVX-512). */
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

enum { a, b, c, d };                                             /* registers of an answer */

/* Whether every bit of `wanted` is set in register `r` of a leaf; false where there is no such leaf. */
static bool has(uint32_t leaf, uint32_t subleaf, int r, uint32_t wanted) {
  uint32_t answer[4], most;
  if (subleaf && (!__get_cpuid_count(leaf, 0, &most, &answer[b], &answer[c], &answer[d]) || most < subleaf))
    return false;
  return __get_cpuid_count(leaf, subleaf, &answer[a], &answer[b], &answer[c], &answer[d]) &&
         (answer[r] & wanted) == wanted;
}

uint32_t cpu_features(void) {
  const uint32_t ssse3 = 1u << 9, sse41 = 1u << 19, sha = 1u << 29;
  if (!has(1, 0, c, ssse3 | sse41)) return 0;
  /* SSE and SHA need no registers beyond those that every system saves. */
  uint32_t features = CPU_SSE41 | (has(7, 0, b, sha) ? CPU_SHA : 0);

  const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29, avx2 = 1u << 5;
  if (!has(1, 0, c, fma | osxsave | avx | f16c) || (saved_state() & 0x06) != 0x06 || !has(7, 0, b, avx2))
    return features;
  features |= CPU_AVX2 | (has(7, 1, a, 1u << 4) ? CPU_AVXVNNI : 0);

  const uint32_t f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
  if ((saved_state() & 0xe6) != 0xe6 || !has(7, 0, b, f | dq | bw | vl)) return features;
  return features | CPU_AVX512 | (has(7, 0, c, 1u << 11) ? CPU_AVX512VNNI : 0);
}

#elif defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#endif

/* Linux says what there is in two words of bits: Advanced SIMD, which every 64-bit Arm that runs it has, is
 * bit 1 of the first, SHA-256 bit 6, the dot product bit 20; int8 matrices (i8mm) are bit 13 of the second.
 * Every Mac has all but the last, which came with its second generation and is not asked for.           */
uint32_t cpu_features(void) {
#if defined(__linux__)
  const unsigned long bits = getauxval(AT_HWCAP), more = getauxval(AT_HWCAP2);
  if (!(bits & (1ul << 1))) return 0;
  return CPU_NEON | ((bits & (1ul << 20)) ? CPU_NEON_DOTPROD : 0) | ((bits & (1ul << 6)) ? CPU_SHA : 0) |
         ((more & (1ul << 13)) ? CPU_NEON_I8MM : 0);
#else
  return CPU_NEON | CPU_NEON_DOTPROD | CPU_SHA;
#endif
}

#else
uint32_t cpu_features(void) { return 0; }
#endif
