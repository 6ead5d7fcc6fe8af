#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("avx2,fma,f16c")))

/* −1 in the first n of 8 lanes: for loads and stores at the edge of C */
static inline __attribute__((always_inline)) TARGET __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* M rows × one panel in 2·M registers; M is a constant at every call, so the loops over it unroll.
 * 6 rows take 12 of 16 registers, two hold a panel row and one a broadcast.                      */
static inline __attribute__((always_inline)) TARGET void
tile(const int M, size_t n, size_t k, const float *const *a, size_t offset, const float *b,
     const float *start, float *c, size_t ldc) {
  const float *row[6];
  __m256 sum[6][2];
  const __m256i low = first_lanes((int)n), high = first_lanes((int)n - 8);
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) {
    row[i] = a[i] + offset;
    const float *from = start ? start : c + (size_t)i * ldc;
    sum[i][0] = _mm256_maskload_ps(from, low);
    sum[i][1] = _mm256_maskload_ps(from + 8, high);
  }
  for (size_t kk = 0; kk < k; kk++) {
    __m256 first = _mm256_load_ps(b + kk * 16), second = _mm256_load_ps(b + kk * 16 + 8);
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      __m256 x = _mm256_broadcast_ss(row[i] + kk);
      sum[i][0] = _mm256_fmadd_ps(x, first, sum[i][0]);
      sum[i][1] = _mm256_fmadd_ps(x, second, sum[i][1]);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) {
    float *to = c + (size_t)i * ldc;
    if (n == 16) {              /* masked stores are slow on some processors */
      _mm256_storeu_ps(to, sum[i][0]);
      _mm256_storeu_ps(to + 8, sum[i][1]);
    } else {
      _mm256_maskstore_ps(to, low, sum[i][0]);
      _mm256_maskstore_ps(to + 8, high, sum[i][1]);
    }
  }
}

#define ROWS(M) \
  case M: tile(M, n, k, a, offset, b, start, c, ldc); break;

TARGET void gemm_f32_6x16_avx2(size_t m, size_t n, size_t k, const float *const *a, size_t offset,
                               const float *b, size_t panel_stride, const float *start, float *c,
                               size_t ldc) {
  (void)panel_stride;                                  /* the tile is one panel wide */
  switch (m) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) }
}

#endif
