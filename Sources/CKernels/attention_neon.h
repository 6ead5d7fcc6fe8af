/* Probabilities of a tile of attention on NEON, the same for both ways of storing them. */
#pragma once
#include <arm_neon.h>
#include <string.h>

#include "attention.h"

#define INLINE __attribute__((always_inline)) static inline

/* Scores below the maximum, in steps, of 4 queries and one key */
INLINE int16x4_t steps(const float *s, const float *top, const float *by) {
  float32x4_t below = vsubq_f32(vld1q_f32(s), vld1q_f32(top));
  return vqmovn_s32(vcvtnq_s32_f32(vmulq_f32(below, vld1q_f32(by))));
}

/* Probabilities of 8 queries and one key */
INLINE int16x8_t probabilities(const float *s, const float *top, const float *by) {
  int16x8_t x = vcombine_s16(steps(s, top, by), steps(s + 4, top + 4, by + 4));
  int16x8_t z = vaddq_s16(x, vdupq_n_s16(POWER));
  int16x8_t f = vreinterpretq_s16_u16(vshrq_n_u16(vreinterpretq_u16_s16(vshlq_n_s16(z, 5)), 1));
  int16x8_t y = vaddq_s16(vqrdmulhq_n_s16(f, C3), vdupq_n_s16(C2));
  y = vaddq_s16(vqrdmulhq_s16(f, y), vdupq_n_s16(C1));
  y = vaddq_s16(vqrdmulhq_s16(f, y), vdupq_n_s16(ONE));
  /* A shift by i < 0 leaves nothing of 1. */
  return vqrdmulhq_s16(y, vshlq_s16(vdupq_n_s16(1), vshrq_n_s16(z, 11)));
}

/* Maxima over the keys, into state; see raise_maximum */
INLINE void raise(size_t keys, const float *s, size_t lds, const float *by, float *state, float *factor) {
  float high[16];
  for (size_t u = 0; u < 16; u += 4) {
    float32x4_t most = vld1q_f32(s + u);
    for (size_t k = 1; k < keys; k++) most = vmaxq_f32(most, vld1q_f32(s + k * lds + u));
    vst1q_f32(high + u, most);
  }
  raise_maximum(high, by, state, factor);
}

/* state's sums of four queries */
INLINE void add_sums(int32x4_t sum, const float *factor, float *sums) {
  float32x4_t old = vmulq_f32(vld1q_f32(sums), vld1q_f32(factor));
  vst1q_f32(sums, vaddq_f32(old, vcvtq_f32_s32(sum)));
}

/* C·factor + scale·sum, or the latter alone; both products are rounded. */
INLINE void finish_values(int32x4_t sum, float scale, const float *factor, float *c) {
  float32x4_t x = vmulq_n_f32(vcvtq_f32_s32(sum), scale);
  if (factor) x = vaddq_f32(vmulq_f32(vld1q_f32(c), vld1q_f32(factor)), x);
  vst1q_f32(c, x);
}
