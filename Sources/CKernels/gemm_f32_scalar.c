#include "ckernels.h"

#pragma STDC FP_CONTRACT OFF

void gemm_f32_4x16_scalar(size_t m, size_t n, size_t k, const float *const *a, size_t offset,
                          const float *b, size_t panel_stride, const float *start, float *c, size_t ldc) {
  (void)panel_stride;                                  /* the tile is one panel wide */
  for (size_t i = 0; i < m; i++) {
    float sum[16] = {0};
    const float *from = start ? start : c + i * ldc;
    for (size_t j = 0; j < n; j++) sum[j] = from[j];
    for (size_t kk = 0; kk < k; kk++)
      for (size_t j = 0; j < 16; j++) sum[j] += a[i][offset + kk] * b[kk * 16 + j];
    for (size_t j = 0; j < n; j++) c[i * ldc + j] = sum[j];
  }
}
