#include "ckernels.h"

#if defined(__aarch64__)
#include "gemm_s8_neon.h"

/* Two rows × one panel without the dot product: sums of pairs of k, two columns to a register. Products
 * of two groups are added in 16 bits before they are widened: 2·127² = 32258 < 2^15.                */
INLINE void tile(size_t rows, size_t n, size_t k, const uint8_t *const *a, const float *row_scale,
                 const int8_t *b, bool starts, bool ends, const float *scale, const float *bias, float *c,
                 size_t ldc) {
  int32x4_t pair[2][8];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < 8; j++) pair[i][j] = vdupq_n_s32(0);
  const int8_t *group = b + 64;
  size_t kk = 0;
  for (; kk + 8 <= k; kk += 8, group += 128) {
    int8x16_t x[2], y[2];
    for (size_t i = 0; i < rows; i++) {
      x[i] = four(a[i] + kk);
      y[i] = four(a[i] + kk + 4);
    }
    for (size_t j = 0; j < 4; j++) {
      int8x16_t u = vld1q_s8(group + 16 * j), v = vld1q_s8(group + 64 + 16 * j);
      for (size_t i = 0; i < rows; i++) {
        int16x8_t low = vmull_s8(vget_low_s8(x[i]), vget_low_s8(u)), high = vmull_high_s8(x[i], u);
        low = vmlal_s8(low, vget_low_s8(y[i]), vget_low_s8(v));
        high = vmlal_high_s8(high, y[i], v);
        pair[i][2 * j] = vpadalq_s16(pair[i][2 * j], low);
        pair[i][2 * j + 1] = vpadalq_s16(pair[i][2 * j + 1], high);
      }
    }
  }
  if (kk < k)
    for (size_t j = 0; j < 4; j++) {
      int8x16_t u = vld1q_s8(group + 16 * j);
      for (size_t i = 0; i < rows; i++) {
        int8x16_t x = four(a[i] + kk);
        pair[i][2 * j] = vpadalq_s16(pair[i][2 * j], vmull_s8(vget_low_s8(x), vget_low_s8(u)));
        pair[i][2 * j + 1] = vpadalq_s16(pair[i][2 * j + 1], vmull_high_s8(x, u));
      }
    }
  for (size_t i = 0; i < rows; i++) {
    int32x4_t sum[4];
    for (size_t j = 0; j < 4; j++) sum[j] = vpaddq_s32(pair[i][2 * j], pair[i][2 * j + 1]);
    finish_row(n, sum, row_scale[i], starts, ends, scale, bias, c + i * ldc);
  }
}

void gemm_s8_2x16c4_neon(size_t m, size_t n, size_t k, const uint8_t *const *a, const float *row_scale,
                         const int8_t *b, size_t panel_stride, bool starts, bool ends, const float *scale,
                         const float *bias, float *c, size_t ldc) {
  (void)panel_stride;                                    /* a tile is one panel wide */
  float copies[2][16];
  if (ends) {
    scale = padded(n, scale, copies[0]);
    bias = padded(n, bias, copies[1]);
  }
  switch (m) {
    case 1: tile(1, n, k, a, row_scale, b, starts, ends, scale, bias, c, ldc); break;
    case 2: tile(2, n, k, a, row_scale, b, starts, ends, scale, bias, c, ldc); break;
  }
}
#endif
