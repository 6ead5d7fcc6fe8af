#include "ckernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
#define TARGET __attribute__((target("sse4.1")))
#define INLINE static inline __attribute__((always_inline)) TARGET

/* M rows × one panel in 4·M registers; M is a constant at every call. 3 rows take 12 of 16 registers, the
 * rest are a value of A and products. Product and sum round apart, as in the scalar twin.            */
INLINE void tile(const int M, size_t n, size_t k, const float *const *a, size_t offset, const float *b,
                 const float *start, float *c, size_t ldc) {
  __m128 sum[3][4];
  const float *row[3];
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) {
    row[i] = a[i] + offset;
    const float *from = start ? start : c + (size_t)i * ldc;
    float edge[16] = {0};
    if (n < 16) {
      for (size_t j = 0; j < n; j++) edge[j] = from[j];
      from = edge;
    }
#pragma clang loop unroll(full)
    for (int v = 0; v < 4; v++) sum[i][v] = _mm_loadu_ps(from + 4 * v);
  }
  for (size_t kk = 0; kk < k; kk++, b += 16)
#pragma clang loop unroll(full)
    for (int i = 0; i < M; i++) {
      __m128 x = _mm_load1_ps(row[i] + kk);
#pragma clang loop unroll(full)
      for (int v = 0; v < 4; v++)
        sum[i][v] = _mm_add_ps(sum[i][v], _mm_mul_ps(x, _mm_load_ps(b + 4 * v)));
    }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; i++) {
    float edge[16], *to = n < 16 ? edge : c + (size_t)i * ldc;
#pragma clang loop unroll(full)
    for (int v = 0; v < 4; v++) _mm_storeu_ps(to + 4 * v, sum[i][v]);
    if (n < 16)
      for (size_t j = 0; j < n; j++) c[(size_t)i * ldc + j] = edge[j];
  }
}

#define ROWS(M) \
  case M: tile(M, n, k, a, offset, b, start, c, ldc); break;

TARGET void gemm_f32_3x16_sse41(size_t m, size_t n, size_t k, const float *const *a, size_t offset,
                                const float *b, size_t panel_stride, const float *start, float *c,
                                size_t ldc) {
  (void)panel_stride;                                  /* the tile is one panel wide */
  switch (m) { ROWS(1) ROWS(2) ROWS(3) }
}

#endif
