#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define TARGET __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define WIDTH 32
#define ROWS 4
#define STEPS STEP(1) STEP(2) STEP(3) STEP(4)
typedef __m256i ints;

INLINE ints zero(void) { return _mm256_setzero_si256(); }
INLINE ints all(int32_t x) { return _mm256_set1_epi32(x); }
INLINE ints add(ints x, ints y) { return _mm256_add_epi32(x, y); }
INLINE ints exclusive(ints x, ints y) { return _mm256_xor_si256(x, y); }
INLINE ints size(ints x) { return _mm256_abs_epi8(x); }
INLINE ints negative(ints x) { return _mm256_cmpgt_epi8(zero(), x); }
INLINE ints pairs(ints x, ints y) { return _mm256_maddubs_epi16(x, y); }
INLINE ints fours(ints x) { return _mm256_madd_epi16(x, _mm256_set1_epi16(1)); }
INLINE ints get(const void *x) { return _mm256_loadu_si256(x); }
INLINE void put(void *x, ints v) { _mm256_storeu_si256(x, v); }
INLINE ints group(const void *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return _mm256_set1_epi32(bits);
}

#include "gemm_s8_sizes.h"

TARGET void gemm_s8_12x32c4_avx2(size_t m, size_t n, size_t k, const uint8_t *const *a,
                                 const float *row_scale, const int8_t *b, size_t panel_stride, bool starts,
                                 bool ends, const float *scale, const float *bias, float *c, size_t ldc) {
  gemm(m, n, k, a, row_scale, b, panel_stride, starts, ends, scale, bias, c, ldc);
}
#endif
