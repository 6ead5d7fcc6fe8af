#include <string.h>

#include "attention.h"
#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE __m512i words(int16_t x) { return _mm512_set1_epi16(x); }

/* Scores below the maximum, in steps, of 16 queries and one key */
INLINE __m512i steps(__m512 s, __m512 top, __m512 by) {
  return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(s, top), by));
}

/* Probabilities of two keys in 16 bits. Packing saturates at −2^15; every 128 bits hold four queries of the first key,
 * then the same of the second.                                                                                  */
INLINE __m512i probabilities(__m512i first, __m512i second) {
  __m512i z = _mm512_add_epi16(_mm512_packs_epi32(first, second), words(POWER));
  __m512i f = _mm512_srli_epi16(_mm512_slli_epi16(z, 5), 1);
  __m512i y = _mm512_add_epi16(_mm512_mulhrs_epi16(f, words(C3)), words(C2));
  y = _mm512_add_epi16(_mm512_mulhrs_epi16(f, y), words(C1));
  y = _mm512_add_epi16(_mm512_mulhrs_epi16(f, y), words(ONE));
  return _mm512_mulhrs_epi16(y, _mm512_sllv_epi16(words(1), _mm512_srai_epi16(z, 11)));
}

/* Four keys become [16 queries][4 keys] of low bytes, then of high bytes; sums are those of the bytes. */
INLINE void store_four(__m512i first, __m512i second, __m512i *to, __m512i *sums) {
  /* Low bytes of a query's two keys together, four queries, then the high bytes */
  const __m512i apart = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, 8, 2, 10, 4, 12, 6, 14, 1, 9, 3, 11, 5, 13, 7, 15));
  first = _mm512_shuffle_epi8(first, apart);
  second = _mm512_shuffle_epi8(second, apart);
  __m512i low = _mm512_unpacklo_epi16(first, second), high = _mm512_unpackhi_epi16(first, second);
  sums[0] = _mm512_dpbusd_epi32(sums[0], low, _mm512_set1_epi8(1));
  sums[1] = _mm512_dpbusd_epi32(sums[1], high, _mm512_set1_epi8(1));
  _mm512_store_si512(to, low);
  _mm512_store_si512(to + 1, high);
}

TARGET void softmax_panel_avx512vnni(size_t keys, const float *s, size_t lds, const float *by, float *state,
                                     float *factor, void *panel) {
  __m512 most[4];
  for (size_t u = 0; u < 4; u++) most[u] = _mm512_loadu_ps(s);
  size_t k = 0;
  for (; k + 4 <= keys; k += 4)
#pragma clang loop unroll(full)
    for (size_t u = 0; u < 4; u++) most[u] = _mm512_max_ps(most[u], _mm512_loadu_ps(s + (k + u) * lds));
  for (; k < keys; k++) most[0] = _mm512_max_ps(most[0], _mm512_loadu_ps(s + k * lds));
  float high[16];
  _mm512_storeu_ps(high, _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3])));
  raise_maximum(high, by, state, factor);

  const __m512 top = _mm512_loadu_ps(state), slope = _mm512_loadu_ps(by);
  const __m512i none = _mm512_set1_epi32(INT16_MIN);
  __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()}, *to = panel;
  for (k = 0; k + 4 <= keys; k += 4, to += 2) {
    __m512i x[4];
#pragma clang loop unroll(full)
    for (size_t u = 0; u < 4; u++) x[u] = steps(_mm512_loadu_ps(s + (k + u) * lds), top, slope);
    store_four(probabilities(x[0], x[1]), probabilities(x[2], x[3]), to, sums);
  }
  if (k < keys) {
    __m512i x[4];
    for (size_t u = 0; u < 4; u++)
      x[u] = k + u < keys ? steps(_mm512_loadu_ps(s + (k + u) * lds), top, slope) : none;
    store_four(probabilities(x[0], x[1]), probabilities(x[2], x[3]), to, sums);
  }
  __m512i sum = _mm512_add_epi32(sums[0], _mm512_slli_epi32(sums[1], 8));
  __m512 old = _mm512_mul_ps(_mm512_loadu_ps(state + 16), _mm512_loadu_ps(factor));
  _mm512_storeu_ps(state + 16, _mm512_add_ps(old, _mm512_cvtepi32_ps(sum)));
}

INLINE __m512i four(const char *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return _mm512_set1_epi32(bits);
}

/* M rows × one panel, M a constant at every call: sums of low and of high bytes in 2·M registers */
INLINE void tile(const int M, size_t keys, const char *v, size_t ldv, const float *scale, const char *panel,
                 const float *factor, float *c, size_t ldc) {
  __m512i sum[12][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) sum[i][0] = sum[i][1] = _mm512_setzero_si512();
  const char *middle = v + 6 * ldv;
  for (size_t k = 0; k < keys; k += 4, panel += 128, v += 4, middle += 4) {
    __m512i low = _mm512_load_si512(panel), high = _mm512_load_si512(panel + 64);
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      __m512i x = four(i < 6 ? v + (size_t)i * ldv : middle + (size_t)(i - 6) * ldv);
      sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], low, x);
      sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], high, x);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) {
    float *to = c + (size_t)i * ldc;
    __m512i whole = _mm512_add_epi32(sum[i][0], _mm512_slli_epi32(sum[i][1], 8));
    __m512 x = _mm512_mul_ps(_mm512_set1_ps(scale[i]), _mm512_cvtepi32_ps(whole));
    if (factor) x = _mm512_add_ps(_mm512_mul_ps(_mm512_loadu_ps(to), _mm512_loadu_ps(factor)), x);
    _mm512_storeu_ps(to, x);
  }
}

#define ROWS(M) \
  case M: tile(M, keys, v, ldv, scale + i, panel, earlier, to, ldc); break;

/* As many tiles as rows of at most 12 make necessary, of equal heights: 4 × 10 for 40 channels */
TARGET void weigh_values_avx512vnni(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                                    const float *scale, const void *panels, size_t panel_stride, const float *factor,
                                    float *c, size_t ldc) {
  const size_t tiles = (rows + 11) / 12;
  for (size_t t = 0; t < tiles; t++) {
    const size_t i = rows * t / tiles, m = rows * (t + 1) / tiles - i;
    const char *v = (const char *)values + i * ldv;
    for (size_t j = 0; j < columns; j += 16) {
      const char *panel = (const char *)panels + j / 16 * panel_stride;
      const float *earlier = factor ? factor + j : NULL;
      float *to = c + i * ldc + j;
      switch (m) {
        ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12)
      }
    }
  }
}

#endif
