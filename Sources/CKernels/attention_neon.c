#include "ckernels.h"

#if defined(__aarch64__)
#include "attention_neon.h"

/* Panel and values are 16 bits wide: [pair of keys][16 queries][2 keys]. */
void softmax_panel_neon(size_t keys, const float *s, size_t lds, const float *by, float *state, float *factor,
                        void *panel) {
  raise(keys, s, lds, by, state, factor);
  int32x4_t sum[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
  int16_t *to = panel;
  for (size_t k = 0; k < (keys + 3) / 4 * 4; k += 2, to += 32)
    for (size_t h = 0; h < 2; h++) {
      int16x8_t p[2];
      for (size_t u = 0; u < 2; u++)
        p[u] = k + u < keys ? probabilities(s + (k + u) * lds + 8 * h, state + 8 * h, by + 8 * h)
                            : vdupq_n_s16(0);
      int16x8_t low = vzip1q_s16(p[0], p[1]), high = vzip2q_s16(p[0], p[1]);
      sum[2 * h] = vpadalq_s16(sum[2 * h], low);
      sum[2 * h + 1] = vpadalq_s16(sum[2 * h + 1], high);
      vst1q_s16(to + 16 * h, low);
      vst1q_s16(to + 16 * h + 8, high);
    }
  for (size_t u = 0; u < 4; u++) add_sums(sum[u], factor + 4 * u, state + 16 + 4 * u);
}

INLINE int16x8_t two(const char *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return vreinterpretq_s16_s32(vdupq_n_s32(bits));
}

/* `rows` ≤ 3, a constant after inlining: sums of every other key, two queries to a register */
INLINE void tile(size_t rows, size_t keys, const char *v, size_t ldv, const float *scale, const int16_t *panel,
                 const float *factor, float *c, size_t ldc) {
  int32x4_t sum[3][8];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < 8; j++) sum[i][j] = vdupq_n_s32(0);
  for (size_t k = 0; k < keys; k += 2, panel += 32, v += 4) {
    int16x8_t x[3];
    for (size_t i = 0; i < rows; i++) x[i] = two(v + i * ldv);
    for (size_t j = 0; j < 4; j++) {
      int16x8_t p = vld1q_s16(panel + 8 * j);
      for (size_t i = 0; i < rows; i++) {
        sum[i][2 * j] = vmlal_s16(sum[i][2 * j], vget_low_s16(p), vget_low_s16(x[i]));
        sum[i][2 * j + 1] = vmlal_high_s16(sum[i][2 * j + 1], p, x[i]);
      }
    }
  }
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < 4; j++)
      finish_values(vpaddq_s32(sum[i][2 * j], sum[i][2 * j + 1]), scale[i], factor ? factor + 4 * j : NULL, c + i * ldc + 4 * j);
}

void weigh_values_neon(size_t rows, size_t columns, size_t keys, const void *values, size_t ldv,
                       const float *scale, const void *panels, size_t panel_stride, const float *factor, float *c,
                       size_t ldc) {
  for (size_t j = 0; j < columns; j += 16) {
    const int16_t *panel = (const int16_t *)((const char *)panels + j / 16 * panel_stride);
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
#endif
