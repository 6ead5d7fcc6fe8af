#include "ckernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

/* One tile, `rows` a constant after inlining. Six rows hold 24 of the 32 registers as sums; the rest
 * are six pairs of A (two k each, taken lane by lane) and two quarters of a group of B in flight.   */
__attribute__((always_inline)) static inline void tile(
    size_t rows, size_t n, size_t k, const float *const *a, size_t offset, const float *b,
    const float *start, float *c, size_t ldc) {
  float32x4_t sum[6][4];
  for (size_t i = 0; i < rows; i++) {
    const float *from = start ? start : c + i * ldc;
    float edge[16] = {0};
    if (n < 16) {
      for (size_t j = 0; j < n; j++) edge[j] = from[j];
      from = edge;
    }
    for (size_t j = 0; j < 4; j++) sum[i][j] = vld1q_f32(from + 4 * j);
  }

  const float *row[6];
  for (size_t i = 0; i < rows; i++) row[i] = a[i] + offset;
  size_t kk = 0;
  for (; kk + 2 <= k; kk += 2, b += 32) {
    float32x2_t pair[6];
    for (size_t i = 0; i < rows; i++) pair[i] = vld1_f32(row[i] + kk);
    for (size_t j = 0; j < 4; j++) {
      float32x4_t bj = vld1q_f32(b + 4 * j);
      for (size_t i = 0; i < rows; i++) sum[i][j] = vfmaq_lane_f32(sum[i][j], bj, pair[i], 0);
    }
    for (size_t j = 0; j < 4; j++) {
      float32x4_t bj = vld1q_f32(b + 16 + 4 * j);
      for (size_t i = 0; i < rows; i++) sum[i][j] = vfmaq_lane_f32(sum[i][j], bj, pair[i], 1);
    }
  }
  if (kk < k)
    for (size_t j = 0; j < 4; j++) {
      float32x4_t bj = vld1q_f32(b + 4 * j);
      for (size_t i = 0; i < rows; i++) sum[i][j] = vfmaq_n_f32(sum[i][j], bj, row[i][kk]);
    }

  for (size_t i = 0; i < rows; i++) {
    float edge[16], *to = n < 16 ? edge : c + i * ldc;
    for (size_t j = 0; j < 4; j++) vst1q_f32(to + 4 * j, sum[i][j]);
    if (n < 16)
      for (size_t j = 0; j < n; j++) c[i * ldc + j] = edge[j];
  }
}

void gemm_f32_6x16_neon(size_t m, size_t n, size_t k, const float *const *a, size_t offset,
                        const float *b, size_t panel_stride, const float *start, float *c, size_t ldc) {
  (void)panel_stride;                                    /* a tile is one panel wide */
  switch (m) {
    case 1: tile(1, n, k, a, offset, b, start, c, ldc); break;
    case 2: tile(2, n, k, a, offset, b, start, c, ldc); break;
    case 3: tile(3, n, k, a, offset, b, start, c, ldc); break;
    case 4: tile(4, n, k, a, offset, b, start, c, ldc); break;
    case 5: tile(5, n, k, a, offset, b, start, c, ldc); break;
    case 6: tile(6, n, k, a, offset, b, start, c, ldc); break;
  }
}
#endif
