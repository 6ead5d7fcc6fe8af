/* Softmax and values of int8 attention on NEON with a product that adds four bytes.
 *
 * Whoever includes this defines TARGET and DOT(sum, p, v, lane), which adds to each of 4 sums the products of 4 bytes of p,
 * in 0…127, with the 4 signed bytes of v's lane.                                                                */
#include "attention_neon.h"
#include "ckernels.h"

/* Eight queries of four keys as [8 queries][4 keys]: the low 7 bits of every word */
INLINE void store_bytes(const uint16x8_t *p, uint8_t *to) {
  uint16x8_t x[4];
  for (size_t u = 0; u < 4; u++) x[u] = vandq_u16(p[u], vdupq_n_u16(127));
  uint16x8_t first = vsliq_n_u16(x[0], x[1], 8), second = vsliq_n_u16(x[2], x[3], 8);
  vst1q_u8(to, vreinterpretq_u8_u16(vzip1q_u16(first, second)));
  vst1q_u8(to + 16, vreinterpretq_u8_u16(vzip2q_u16(first, second)));
}

/* Probabilities have 14 bits. For 4 keys a panel has [16 queries][4 keys] of the lower 7 and then of the upper 7, both
 * of which the dot product takes as signed bytes; values are bytes.                                             */
INLINE void softmax_panel(size_t keys, const float *s, size_t lds, const float *by, float *state,
                           float *factor, void *panel) {
  raise(keys, s, lds, by, state, factor);
  int32x4_t sum[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
  uint8_t *to = panel;
  for (size_t k = 0; k < keys; k += 4, to += 128)
    for (size_t h = 0; h < 2; h++) {
      uint16x8_t p[4], high[4];
      for (size_t u = 0; u < 4; u++) {
        int16x8_t one = k + u < keys ? probabilities(s + (k + u) * lds + 8 * h, state + 8 * h, by + 8 * h)
                                     : vdupq_n_s16(0);
        sum[2 * h] = vaddw_s16(sum[2 * h], vget_low_s16(one));
        sum[2 * h + 1] = vaddw_high_s16(sum[2 * h + 1], one);
        p[u] = vreinterpretq_u16_s16(one);
        high[u] = vshrq_n_u16(p[u], 7);
      }
      store_bytes(p, to + 32 * h);
      store_bytes(high, to + 64 + 32 * h);
    }
  for (size_t u = 0; u < 4; u++) add_sums(sum[u], factor + 4 * u, state + 16 + 4 * u);
}

/* Adds group G of the 16 bytes in x[] times the panel's next group, four queries per sdot. */
#define ADD_GROUP(G)                                                                            \
  for (size_t j = 0; j < 4; j++) {                                                              \
    int8x16_t low = vld1q_s8(panel + 128 * G + 16 * j), high = vld1q_s8(panel + 128 * G + 64 + 16 * j); \
    for (size_t i = 0; i < rows; i++) {                                                         \
      sum[i][j] = DOT(sum[i][j], low, x[i], G);                                     \
      sum[i][4 + j] = DOT(sum[i][4 + j], high, x[i], G);                            \
    }                                                                                           \
  }

INLINE int8x16_t four(const char *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return vreinterpretq_s8_s32(vdupq_n_s32(bits));
}

/* `rows` ≤ 3, a constant after inlining: 24 registers of sums, of lower and of upper bits */
__attribute__((always_inline)) TARGET static inline void tile(
    size_t rows, size_t keys, const char *v, size_t ldv, const float *scale, const int8_t *panel, const float *factor,
    float *c, size_t ldc) {
  int32x4_t sum[3][8];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < 8; j++) sum[i][j] = vdupq_n_s32(0);
  size_t k = 0;
  int8x16_t x[3];
  for (; k + 16 <= keys; k += 16, panel += 512) {
    for (size_t i = 0; i < rows; i++) x[i] = vld1q_s8((const int8_t *)v + i * ldv + k);
    ADD_GROUP(0) ADD_GROUP(1) ADD_GROUP(2) ADD_GROUP(3)
  }
  for (; k < keys; k += 4, panel += 128) {
    for (size_t i = 0; i < rows; i++) x[i] = four(v + i * ldv + k);
    ADD_GROUP(0)
  }
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < 4; j++)
      finish_values(vaddq_s32(sum[i][j], vshlq_n_s32(sum[i][4 + j], 7)), scale[i], factor ? factor + 4 * j : NULL,
                    c + i * ldc + 4 * j);
}

__attribute__((always_inline)) TARGET static inline void weigh_values(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                                 const float *scale, const void *panels, size_t panel_stride, const float *factor,
                                 float *c, size_t ldc) {
  for (size_t j = 0; j < columns; j += 16) {
    const int8_t *panel = (const int8_t *)panels + j / 16 * panel_stride;
    const float *earlier = factor ? factor + j : NULL;
    for (size_t i = 0; i < rows; i += 3) {
      const char *v = (const char *)values + i * ldv;
      float *to = c + i * ldc + j;
      switch (rows - i) {
        case 1: tile(1, keys, v, ldv, scale + i, panel, earlier, to, ldc); break;
        case 2: tile(2, keys, v, ldv, scale + i, panel, earlier, to, ldc); break;
        default: tile(3, keys, v, ldv, scale + i, panel, earlier, to, ldc);
      }
    }
  }
}
