#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define TARGET __attribute__((target("sse4.1")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define WIDTH 16
#define ROWS 3
#define STEPS STEP(1) STEP(2) STEP(3)
typedef __m128i ints;

INLINE ints zero(void) { return _mm_setzero_si128(); }
INLINE ints all(int32_t x) { return _mm_set1_epi32(x); }
INLINE ints add(ints x, ints y) { return _mm_add_epi32(x, y); }
INLINE ints exclusive(ints x, ints y) { return _mm_xor_si128(x, y); }
INLINE ints size(ints x) { return _mm_abs_epi8(x); }
INLINE ints negative(ints x) { return _mm_cmpgt_epi8(zero(), x); }
INLINE ints pairs(ints x, ints y) { return _mm_maddubs_epi16(x, y); }
INLINE ints fours(ints x) { return _mm_madd_epi16(x, _mm_set1_epi16(1)); }
INLINE ints get(const void *x) { return _mm_loadu_si128(x); }
INLINE void put(void *x, ints v) { _mm_storeu_si128(x, v); }
INLINE ints group(const void *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return _mm_set1_epi32(bits);
}

#include "gemm_s8_sizes.h"

TARGET void gemm_s8_12x32c4_sse41(size_t m, size_t n, size_t k, const uint8_t *const *a,
                                  const float *row_scale, const int8_t *b, size_t panel_stride, bool starts,
                                  bool ends, const float *scale, const float *bias, float *c, size_t ldc) {
  gemm(m, n, k, a, row_scale, b, panel_stride, starts, ends, scale, bias, c, ldc);
}
#endif
