#include "ckernels.h"

#pragma STDC FP_CONTRACT OFF

void gemm_s8_4x16c4_scalar(size_t m, size_t n, size_t k, const uint8_t *const *a, const float *row_scale,
                           const int8_t *b, size_t panel_stride, bool starts, bool ends,
                           const float *scale, const float *bias, float *c, size_t ldc) {
  (void)panel_stride;                                  /* the tile is one panel wide */
  const int8_t *values = b + 64;                       /* signed rows need no column sums */
  for (size_t i = 0; i < m; i++) {
    int32_t sum[16] = {0};
    for (size_t kk = 0; kk < k; kk += 4)
      for (size_t j = 0; j < 16; j++)
        for (size_t p = 0; p < 4; p++) sum[j] += (int8_t)a[i][kk + p] * values[kk * 16 + j * 4 + p];
    for (size_t j = 0; j < n; j++) {
      float v = row_scale[i] * (float)sum[j];
      if (!starts) v = c[i * ldc + j] + v;
      if (ends) v = v * scale[j] + bias[j];
      c[i * ldc + j] = v;
    }
  }
}
