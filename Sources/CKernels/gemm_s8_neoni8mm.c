#include "ckernels.h"

#if defined(__aarch64__)
#include "gemm_s8_neon.h"

#define TARGET __attribute__((target("i8mm")))

/* Adds 8 k to M/2 pairs of rows × 16 columns. smmla multiplies 2 rows of 8 bytes by 2 columns of 8 bytes;
 * two groups of a panel, zipped by fours of bytes, are 8 columns' worth of pairs.                     */
#define ADD(GROUP0, GROUP1)                                                              \
  _Pragma("clang loop unroll(full)")                                                     \
  for (size_t j = 0; j < 4; j++) {                                                       \
    int32x4_t u = vreinterpretq_s32_s8(GROUP0), v = vreinterpretq_s32_s8(GROUP1);        \
    int8x16_t low = vreinterpretq_s8_s32(vzip1q_s32(u, v));                              \
    int8x16_t high = vreinterpretq_s8_s32(vzip2q_s32(u, v));                             \
    _Pragma("clang loop unroll(full)")                                                   \
    for (size_t i = 0; i < pairs; i++) {                                                 \
      sum[i][2 * j] = vmmlaq_s32(sum[i][2 * j], x[i], low);                              \
      sum[i][2 * j + 1] = vmmlaq_s32(sum[i][2 * j + 1], x[i], high);                     \
    }                                                                                    \
  }

INLINE int8x8_t eight(const uint8_t *x) { return vreinterpret_s8_u8(vld1_u8(x)); }

/* The 4 bytes of one group of a row, then zeros. */
INLINE int8x8_t last(const uint8_t *x) {
  uint32_t bits;
  memcpy(&bits, x, sizeof bits);
  return vreinterpret_s8_u64(vcreate_u64(bits));
}

/* One tile, `rows` a constant after inlining: three pairs of rows hold 24 of the 32 registers as sums of two
 * rows × two columns, three hold rows, two a quarter of the panel. An odd last row is its own partner.  */
__attribute__((always_inline)) TARGET static inline void tile(
    size_t rows, size_t n, size_t k, const uint8_t *const *a, const float *row_scale, const int8_t *b,
    bool starts, bool ends, const float *scale, const float *bias, float *c, size_t ldc) {
  const size_t pairs = (rows + 1) / 2;
  const uint8_t *row[6];
  int32x4_t sum[3][8];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < 2 * pairs; i++) row[i] = a[i < rows ? i : rows - 1];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < pairs; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 8; j++) sum[i][j] = vdupq_n_s32(0);
  const int8_t *group = b + 64;
  size_t kk = 0;
  int8x16_t x[3];
  for (; kk + 8 <= k; kk += 8, group += 128) {
#pragma clang loop unroll(full)
    for (size_t i = 0; i < pairs; i++) x[i] = vcombine_s8(eight(row[2 * i] + kk), eight(row[2 * i + 1] + kk));
    ADD(vld1q_s8(group + 16 * j), vld1q_s8(group + 64 + 16 * j))
  }
  if (kk < k) {
#pragma clang loop unroll(full)
    for (size_t i = 0; i < pairs; i++) x[i] = vcombine_s8(last(row[2 * i] + kk), last(row[2 * i + 1] + kk));
    ADD(vld1q_s8(group + 16 * j), vdupq_n_s8(0))
  }
#pragma clang loop unroll(full)
  for (size_t i = 0; i < rows; i++) {
    int32x4_t row_sums[4];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 4; j++) {
      int64x2_t u = vreinterpretq_s64_s32(sum[i / 2][2 * j]), v = vreinterpretq_s64_s32(sum[i / 2][2 * j + 1]);
      row_sums[j] = vreinterpretq_s32_s64(i % 2 == 0 ? vzip1q_s64(u, v) : vzip2q_s64(u, v));
    }
    finish_row(n, row_sums, row_scale[i], starts, ends, scale, bias, c + i * ldc);
  }
}

#define ROWS(M) \
  case M: tile(M, n, k, a, row_scale, b, starts, ends, scale, bias, c, ldc); break;

TARGET void gemm_s8_6x16c4_neoni8mm(size_t m, size_t n, size_t k, const uint8_t *const *a,
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
