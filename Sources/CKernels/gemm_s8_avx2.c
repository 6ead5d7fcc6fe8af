#include <string.h>

#include "ckernels.h"

#if defined(__x86_64__)
#include "math_avx2.h"

INLINE __m256i four(const uint8_t *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return _mm256_set1_epi32(bits);
}

/* M rows × one panel in 2·M registers; M is a constant at every call. vpmaddubsw multiplies unsigned by
 * signed bytes and adds pairs in 16 bits with saturation: so |a| is multiplied by b with a's sign, and
 * no pair exceeds 2·127² = 32258 < 2^15. (The offset form that VNNI takes reaches 2·255·127.)        */
INLINE void tile(const int M, size_t n, size_t k, const uint8_t *const *a, const float *row_scale,
                 const int8_t *b, bool starts, bool ends, const float *scale, const float *bias, float *c,
                 size_t ldc) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[4][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) sum[i][0] = sum[i][1] = _mm256_setzero_si256();
  const int8_t *group = b + 64;
  for (size_t kk = 0; kk < k; kk += 4, group += 64) {
    __m256i first = _mm256_load_si256((const __m256i *)group);
    __m256i second = _mm256_load_si256((const __m256i *)(group + 32));
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      __m256i x = four(a[i] + kk), size = _mm256_abs_epi8(x);
      __m256i p = _mm256_maddubs_epi16(size, _mm256_sign_epi8(first, x));
      __m256i q = _mm256_maddubs_epi16(size, _mm256_sign_epi8(second, x));
      sum[i][0] = _mm256_add_epi32(sum[i][0], _mm256_madd_epi16(p, ones));
      sum[i][1] = _mm256_add_epi32(sum[i][1], _mm256_madd_epi16(q, ones));
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++)
#pragma clang loop unroll(full)
    for (int half = 0; half < 2; half++) {
      const size_t j = 8 * (size_t)half;
      if (j >= n) break;
      float *to = c + (size_t)i * ldc + j;
      __m256 v = _mm256_mul_ps(_mm256_set1_ps(row_scale[i]), _mm256_cvtepi32_ps(sum[i][half]));
      if (!starts) v = _mm256_add_ps(load(n - j, to), v);
      if (ends) v = _mm256_add_ps(_mm256_mul_ps(v, load(n - j, scale + j)), load(n - j, bias + j));
      store(n - j, to, v);
    }
}

#define ROWS(M) \
  case M: tile(M, n, k, a, row_scale, b, starts, ends, scale, bias, c, ldc); break;

TARGET void gemm_s8_4x16c4_avx2(size_t m, size_t n, size_t k, const uint8_t *const *a,
                                const float *row_scale, const int8_t *b, size_t panel_stride, bool starts,
                                bool ends, const float *scale, const float *bias, float *c, size_t ldc) {
  (void)panel_stride;                                  /* the tile is one panel wide */
  switch (m) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) }
}

#endif
