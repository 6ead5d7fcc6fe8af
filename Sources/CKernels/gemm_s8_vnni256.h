/* vpdpbusd on registers of 32 bytes: as its own extension for processors without AVX-512 (AVX-VNNI), or as
 * part of AVX-512 with another encoding, which tests this source on processors that have only that one.
 *
 * Whoever includes this defines INLINE (with its target) and dot(sum, x, y): vpdpbusd.                 */
#include <string.h>

#include "ckernels.h"

#pragma STDC FP_CONTRACT OFF

INLINE __m256i four(const uint8_t *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return _mm256_set1_epi32(bits);
}

/* The first n of 8 floats, the others 0; and back. */
INLINE __m256i first_lanes(size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE __m256 load(size_t n, const float *x) {
  return n >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, first_lanes(n));
}
INLINE void store(size_t n, float *y, __m256 v) {
  if (n >= 8) _mm256_storeu_ps(y, v);
  else _mm256_maskstore_ps(y, first_lanes(n), v);
}

/* M rows × one panel in 2·M registers, M a constant at every call: at most 12 chains, two panel values and
 * one group of a row in 15 of 16 registers. Rows hold q + 128, and a sum starts from −128·Σ_k b.       */
INLINE void tile(const int M, size_t n, size_t k, const uint8_t *const *a, const float *row_scale,
                 const int8_t *b, bool starts, bool ends, const float *scale, const float *bias, float *c,
                 size_t ldc) {
  const uint8_t *row[6];
  __m256i sum[6][2];
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; half++) {
    __m256i sums = _mm256_load_si256((const __m256i *)(b + 32 * half));
    __m256i start = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(sums, 7));
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      row[i] = a[i];
      sum[i][half] = start;
    }
  }
  const int8_t *group = b + 64;
  for (size_t kk = 0; kk < k; kk += 4, group += 64) {
    __m256i first = _mm256_load_si256((const __m256i *)group);
    __m256i second = _mm256_load_si256((const __m256i *)(group + 32));
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      __m256i x = four(row[i] + kk);
      sum[i][0] = dot(sum[i][0], x, first);
      sum[i][1] = dot(sum[i][1], x, second);
    }
  }
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; half++) {
    const size_t j = 8 * (size_t)half;
    if (j >= n) break;
    __m256 by = _mm256_setzero_ps(), plus = by;
    if (ends) {
      by = load(n - j, scale + j);
      plus = load(n - j, bias + j);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      float *to = c + (size_t)i * ldc + j;
      __m256 v = _mm256_mul_ps(_mm256_set1_ps(row_scale[i]), _mm256_cvtepi32_ps(sum[i][half]));
      if (!starts) v = _mm256_add_ps(load(n - j, to), v);
      if (ends) v = _mm256_add_ps(_mm256_mul_ps(v, by), plus);
      store(n - j, to, v);
    }
  }
}

#define ROWS(M) \
  case M: tile(M, n, k, a, row_scale, b, starts, ends, scale, bias, c, ldc); break;
