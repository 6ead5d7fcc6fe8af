#include "ckernels.h"

#if defined(__aarch64__)
#include "gemm_s8_neon.h"

#define TARGET __attribute__((target("dotprod")))

/* Adds group G of the 16 bytes in x[] times the panel's next group: four columns per sdot. */
#define ADD_GROUP(G)                                                                      \
  _Pragma("clang loop unroll(full)")                                                      \
  for (size_t j = 0; j < 4; j++) {                                                        \
    int8x16_t bj = vld1q_s8(group + 64 * G + 16 * j);                                     \
    _Pragma("clang loop unroll(full)")                                                     \
    for (size_t i = 0; i < rows; i++) sum[i][j] = vdotq_laneq_s32(sum[i][j], bj, x[i], G); \
  }

/* One tile, `rows` a constant after inlining: 24 of the 32 registers hold sums, six hold four groups of
 * a row each, taken lane by lane, and two a quarter of a panel group.                               */
__attribute__((always_inline)) TARGET static inline void tile(
    size_t rows, size_t n, size_t k, const uint8_t *const *a, const float *row_scale, const int8_t *b,
    bool starts, bool ends, const float *scale, const float *bias, float *c, size_t ldc) {
  int32x4_t sum[6][4];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 4; j++) sum[i][j] = vdupq_n_s32(0);
  const int8_t *group = b + 64;
  size_t kk = 0;
  for (; kk + 16 <= k; kk += 16, group += 256) {
    int8x16_t x[6];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) x[i] = vreinterpretq_s8_u8(vld1q_u8(a[i] + kk));
    ADD_GROUP(0) ADD_GROUP(1) ADD_GROUP(2) ADD_GROUP(3)
  }
  for (; kk < k; kk += 4, group += 64) {
    int8x16_t x[6];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < rows; i++) x[i] = four(a[i] + kk);
    ADD_GROUP(0)
  }
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++)
    finish_row(n, sum[i], row_scale[i], starts, ends, scale, bias, c + i * ldc);
}

#define ROWS(M) \
  case M: tile(M, n, k, a, row_scale, b, starts, ends, scale, bias, c, ldc); break;

TARGET void gemm_s8_6x16c4_neondot(size_t m, size_t n, size_t k, const uint8_t *const *a,
                                   const float *row_scale, const int8_t *b, size_t panel_stride,
                                   bool starts, bool ends, const float *scale, const float *bias, float *c,
                                   size_t ldc) {
  (void)panel_stride;                                    /* a tile is one panel wide */
  float copies[2][16];
  if (ends) {
    scale = padded(n, scale, copies[0]);
    bias = padded(n, bias, copies[1]);
  }
  switch (m) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) }
}
#endif
