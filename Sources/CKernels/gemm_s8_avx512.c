#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define WIDTH 64
#define ROWS 6
#define STEPS STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6)
typedef __m512i ints;

INLINE ints zero(void) { return _mm512_setzero_si512(); }
INLINE ints all(int32_t x) { return _mm512_set1_epi32(x); }
INLINE ints add(ints x, ints y) { return _mm512_add_epi32(x, y); }
INLINE ints exclusive(ints x, ints y) { return _mm512_xor_si512(x, y); }
INLINE ints size(ints x) { return _mm512_abs_epi8(x); }
INLINE ints negative(ints x) { return _mm512_movm_epi8(_mm512_movepi8_mask(x)); }
INLINE ints pairs(ints x, ints y) { return _mm512_maddubs_epi16(x, y); }
INLINE ints fours(ints x) { return _mm512_madd_epi16(x, _mm512_set1_epi16(1)); }
INLINE ints get(const void *x) { return _mm512_loadu_si512(x); }
INLINE void put(void *x, ints v) { _mm512_storeu_si512(x, v); }
INLINE ints group(const void *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return _mm512_set1_epi32(bits);
}

#include "gemm_s8_sizes.h"

TARGET void gemm_s8_12x32c4_avx512(size_t m, size_t n, size_t k, const uint8_t *const *a,
                                 const float *row_scale, const int8_t *b, size_t panel_stride, bool starts,
                                 bool ends, const float *scale, const float *bias, float *c, size_t ldc) {
  gemm(m, n, k, a, row_scale, b, panel_stride, starts, ends, scale, bias, c, ldc);
}
#endif
