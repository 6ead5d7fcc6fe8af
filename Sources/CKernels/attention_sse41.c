#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("sse4.1")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define WIDTH 16
#define ROWS 3
#define CASES CASE(1) CASE(2) CASE(3)
typedef __m128 floats;
typedef __m128i ints;

INLINE floats get(const float *x) { return _mm_loadu_ps(x); }
INLINE void put(float *x, floats v) { _mm_storeu_ps(x, v); }
INLINE ints get_ints(const void *x) { return _mm_loadu_si128((const __m128i *)x); }
INLINE void put_ints(void *x, ints v) { _mm_storeu_si128((__m128i *)x, v); }
INLINE floats put_all(float x) { return _mm_set1_ps(x); }
INLINE floats minus(floats x, floats y) { return _mm_sub_ps(x, y); }
INLINE floats times(floats x, floats y) { return _mm_mul_ps(x, y); }
INLINE floats plus(floats x, floats y) { return _mm_add_ps(x, y); }
INLINE floats most(floats x, floats y) { return _mm_max_ps(x, y); }
INLINE ints whole(floats x) { return _mm_cvtps_epi32(x); }
INLINE floats real(ints x) { return _mm_cvtepi32_ps(x); }
INLINE ints zero(void) { return _mm_setzero_si128(); }
INLINE ints add(ints x, ints y) { return _mm_add_epi32(x, y); }
INLINE ints none(void) { return _mm_set1_epi32(INT16_MIN); }
INLINE ints packed(ints x, ints y) { return _mm_packs_epi32(x, y); }
INLINE ints words(int x) { return _mm_set1_epi16((int16_t)x); }
INLINE ints words_add(ints x, ints y) { return _mm_add_epi16(x, y); }
INLINE ints left(ints x, int n) { return _mm_slli_epi16(x, n); }
INLINE ints right(ints x, int n) { return _mm_srli_epi16(x, n); }
INLINE ints halves(ints x, int n) { return _mm_srai_epi16(x, n); }
INLINE ints rounded(ints x, ints y) { return _mm_mulhrs_epi16(x, y); }
INLINE ints pair_of(int16_t x, int16_t y) {
  return _mm_set1_epi32((uint16_t)x | (int32_t)((uint32_t)(uint16_t)y << 16));
}
INLINE ints each(ints x, const int8_t *table) {
  __m128i once = _mm_loadu_si128((const __m128i *)table);
  return _mm_shuffle_epi8(x, once);
}

/* The low and the high byte of a word look up i and i − 8; what has its top bit set finds 0. */
INLINE ints power(ints i) {
  static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128};
  ints high = words_add(left(i, 8), words(-0x0800));
  return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bits), _mm_or_si128(_mm_and_si128(i, words(0xff)), high));
}
INLINE ints multiply_add(ints sum, ints x, ints y) { return add(sum, _mm_madd_epi16(x, y)); }

#include "attention_pairs.h"

TARGET void softmax_panel_sse41(size_t keys, const float *s, size_t lds, const float *by, float *state,
                                  float *factor, void *panel) {
  softmax_panel(keys, s, lds, by, state, factor, panel);
}

TARGET void weigh_values_sse41(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                                 const float *scale, const void *panels, size_t panel_stride,
                                 const float *factor, float *c, size_t ldc) {
  weigh_values(rows, columns, keys, values, ldv, scale, panels, panel_stride, factor, c, ldc);
}
#endif
