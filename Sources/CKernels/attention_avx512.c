#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define WIDTH 64
#define ROWS 12
#define CASES CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
typedef __m512 floats;
typedef __m512i ints;

INLINE floats get(const float *x) { return _mm512_loadu_ps(x); }
INLINE void put(float *x, floats v) { _mm512_storeu_ps(x, v); }
INLINE ints get_ints(const void *x) { return _mm512_loadu_si512(x); }
INLINE void put_ints(void *x, ints v) { _mm512_storeu_si512(x, v); }
INLINE floats put_all(float x) { return _mm512_set1_ps(x); }
INLINE floats minus(floats x, floats y) { return _mm512_sub_ps(x, y); }
INLINE floats times(floats x, floats y) { return _mm512_mul_ps(x, y); }
INLINE floats plus(floats x, floats y) { return _mm512_add_ps(x, y); }
INLINE floats most(floats x, floats y) { return _mm512_max_ps(x, y); }
INLINE ints whole(floats x) { return _mm512_cvtps_epi32(x); }
INLINE floats real(ints x) { return _mm512_cvtepi32_ps(x); }
INLINE ints zero(void) { return _mm512_setzero_si512(); }
INLINE ints add(ints x, ints y) { return _mm512_add_epi32(x, y); }
INLINE ints none(void) { return _mm512_set1_epi32(INT16_MIN); }
INLINE ints packed(ints x, ints y) { return _mm512_packs_epi32(x, y); }
INLINE ints words(int x) { return _mm512_set1_epi16((int16_t)x); }
INLINE ints words_add(ints x, ints y) { return _mm512_add_epi16(x, y); }
INLINE ints left(ints x, int n) { return _mm512_slli_epi16(x, (unsigned)n); }
INLINE ints right(ints x, int n) { return _mm512_srli_epi16(x, (unsigned)n); }
INLINE ints halves(ints x, int n) { return _mm512_srai_epi16(x, (unsigned)n); }
INLINE ints rounded(ints x, ints y) { return _mm512_mulhrs_epi16(x, y); }
INLINE ints pair_of(int16_t x, int16_t y) {
  return _mm512_set1_epi32((uint16_t)x | (int32_t)((uint32_t)(uint16_t)y << 16));
}
INLINE ints each(ints x, const int8_t *table) {
  __m128i once = _mm_loadu_si128((const __m128i *)table);
  return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(once));
}

/* A count below 0 is one above 15 to the shift. */
INLINE ints power(ints i) { return _mm512_sllv_epi16(words(1), i); }
INLINE ints multiply_add(ints sum, ints x, ints y) { return add(sum, _mm512_madd_epi16(x, y)); }

#include "attention_pairs.h"

TARGET void softmax_panel_avx512(size_t keys, const float *s, size_t lds, const float *by, float *state,
                                  float *factor, void *panel) {
  softmax_panel(keys, s, lds, by, state, factor, panel);
}

TARGET void weigh_values_avx512(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                                 const float *scale, const void *panels, size_t panel_stride,
                                 const float *factor, float *c, size_t ldc) {
  weigh_values(rows, columns, keys, values, ldv, scale, panels, panel_stride, factor, c, ldc);
}
#endif
