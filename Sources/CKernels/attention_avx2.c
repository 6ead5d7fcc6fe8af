#include <string.h>

#include "attention.h"
#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE __m256i words(int x) { return _mm256_set1_epi16((int16_t)x); }

/* Scores below the maximum, in steps, of 8 queries and one key */
INLINE __m256i steps(__m256 s, __m256 top, __m256 by) {
  return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_sub_ps(s, top), by));
}

/* 2^i in 16 bits for i in 0…14, 0 for i < 0: the low and the high byte of a word look up i and i − 8. */
INLINE __m256i power(__m256i i) {
  const __m256i bits = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0));
  __m256i high = _mm256_sub_epi16(_mm256_slli_epi16(i, 8), words(0x0800));
  return _mm256_shuffle_epi8(bits, _mm256_or_si256(_mm256_and_si256(i, words(0xff)), high));
}

/* Probabilities of two keys as [8 queries][2 keys] in 16 bits: packing saturates at −2^15, after which every 128 bits
 * hold four queries of one key and the same four of the other.                                                  */
INLINE __m256i probabilities(__m256i first, __m256i second) {
  const __m256i pairs = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
  __m256i x = _mm256_shuffle_epi8(_mm256_packs_epi32(first, second), pairs);
  __m256i z = _mm256_add_epi16(x, words(POWER));
  __m256i f = _mm256_srli_epi16(_mm256_slli_epi16(z, 5), 1);
  __m256i y = _mm256_add_epi16(_mm256_mulhrs_epi16(f, words(C3)), words(C2));
  y = _mm256_add_epi16(_mm256_mulhrs_epi16(f, y), words(C1));
  y = _mm256_add_epi16(_mm256_mulhrs_epi16(f, y), words(ONE));
  return _mm256_mulhrs_epi16(y, power(_mm256_srai_epi16(z, 11)));
}

/* Panel and values are 16 bits wide: [pair of keys][16 queries][2 keys]. */
TARGET void softmax_panel_avx2(size_t keys, const float *s, size_t lds, const float *by, float *state,
                               float *factor, void *panel) {
  __m256 most[2][2];
  for (size_t h = 0; h < 2; h++) most[0][h] = most[1][h] = _mm256_loadu_ps(s + 8 * h);
  for (size_t k = 0; k < keys; k++)
    for (size_t h = 0; h < 2; h++)
      most[k % 2][h] = _mm256_max_ps(most[k % 2][h], _mm256_loadu_ps(s + k * lds + 8 * h));
  float high[16];
  for (size_t h = 0; h < 2; h++) _mm256_storeu_ps(high + 8 * h, _mm256_max_ps(most[0][h], most[1][h]));
  raise_maximum(high, by, state, factor);

  const __m256i none = _mm256_set1_epi32(INT16_MIN);
  __m256 top[2], slope[2];
  __m256i sum[2], *to = panel;
  for (size_t h = 0; h < 2; h++) {
    top[h] = _mm256_loadu_ps(state + 8 * h);
    slope[h] = _mm256_loadu_ps(by + 8 * h);
    sum[h] = _mm256_setzero_si256();
  }
  for (size_t k = 0; k < (keys + 3) / 4 * 4; k += 2)
#pragma clang loop unroll(full)
    for (size_t h = 0; h < 2; h++) {
      const float *at = s + k * lds + 8 * h;
      __m256i first = k < keys ? steps(_mm256_loadu_ps(at), top[h], slope[h]) : none;
      __m256i second = k + 1 < keys ? steps(_mm256_loadu_ps(at + lds), top[h], slope[h]) : none;
      __m256i p = probabilities(first, second);
      sum[h] = _mm256_add_epi32(sum[h], _mm256_madd_epi16(p, words(1)));
      _mm256_store_si256(to++, p);
    }
  for (size_t h = 0; h < 2; h++) {
    float *sums = state + 16 + 8 * h;
    __m256 old = _mm256_mul_ps(_mm256_loadu_ps(sums), _mm256_loadu_ps(factor + 8 * h));
    _mm256_storeu_ps(sums, _mm256_add_ps(old, _mm256_cvtepi32_ps(sum[h])));
  }
}

INLINE __m256i two(const char *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return _mm256_set1_epi32(bits);
}

/* M rows × one panel in 2·M registers, M a constant at every call. Pairs of products are exact. */
INLINE void tile(const int M, size_t keys, const char *v, size_t ldv, const float *scale, const char *panel,
                 const float *factor, float *c, size_t ldc) {
  __m256i sum[6][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) sum[i][0] = sum[i][1] = _mm256_setzero_si256();
  for (size_t k = 0; k < keys; k += 2, panel += 64, v += 4) {
    __m256i first = _mm256_load_si256((const __m256i *)panel);
    __m256i second = _mm256_load_si256((const __m256i *)(panel + 32));
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      __m256i x = two(v + (size_t)i * ldv);
      sum[i][0] = _mm256_add_epi32(sum[i][0], _mm256_madd_epi16(first, x));
      sum[i][1] = _mm256_add_epi32(sum[i][1], _mm256_madd_epi16(second, x));
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++)
#pragma clang loop unroll(full)
    for (size_t h = 0; h < 2; h++) {
      float *to = c + (size_t)i * ldc + 8 * h;
      __m256 x = _mm256_mul_ps(_mm256_set1_ps(scale[i]), _mm256_cvtepi32_ps(sum[i][h]));
      if (factor)
        x = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(to), _mm256_loadu_ps(factor + 8 * h)), x);
      _mm256_storeu_ps(to, x);
    }
}

#define ROWS(M) \
  case M: tile(M, keys, v, ldv, scale + i, panel, earlier, to, ldc); break;

TARGET void weigh_values_avx2(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                              const float *scale, const void *panels, size_t panel_stride, const float *factor,
                              float *c, size_t ldc) {
  const size_t tiles = (rows + 5) / 6;
  for (size_t j = 0; j < columns; j += 16)
    for (size_t t = 0; t < tiles; t++) {
      const size_t i = rows * t / tiles, m = rows * (t + 1) / tiles - i;
      const char *v = (const char *)values + i * ldv, *panel = (const char *)panels + j / 16 * panel_stride;
      const float *earlier = factor ? factor + j : NULL;
      float *to = c + i * ldc + j;
      switch (m) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) }
    }
}

#endif
