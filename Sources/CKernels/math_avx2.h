/* Edges of rows in registers of 8 floats. */
#pragma once
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

/* −1 in the lanes of a row that ends within the next 8 */
INLINE __m256i lanes(size_t left) {
  const __m256i count = _mm256_set1_epi32(left < 8 ? (int)left : 8);
  return _mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE __m256 load(size_t left, const float *x) {
  return left >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, lanes(left));
}
INLINE void store(size_t left, float *y, __m256 v) {
  if (left >= 8) _mm256_storeu_ps(y, v);
  else _mm256_maskstore_ps(y, lanes(left), v);
}
