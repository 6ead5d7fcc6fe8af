/* The end of an int8 tile on NEON: from integer sums to C, the same for every way of summing. */
#pragma once
#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
#define INLINE static inline __attribute__((always_inline))

/* The 4 bytes of one group of a row, four times. */
INLINE int8x16_t four(const uint8_t *x) {
  int32_t bits;
  memcpy(&bits, x, sizeof bits);
  return vreinterpretq_s8_s32(vdupq_n_s32(bits));
}

/* One row of C, at most 16 columns; scale and bias are padded to 16. vmulq and vaddq, never vfmaq. */
INLINE void finish_row(size_t n, const int32x4_t *sum, float row_scale, bool starts, bool ends,
                       const float *scale, const float *bias, float *c) {
  float edge[16] = {0}, *at = n < 16 ? edge : c;
  if (n < 16 && !starts) memcpy(edge, c, n * sizeof *c);
  for (size_t j = 0; j < 4; j++) {
    float32x4_t v = vmulq_n_f32(vcvtq_f32_s32(sum[j]), row_scale);
    if (!starts) v = vaddq_f32(vld1q_f32(at + 4 * j), v);
    if (ends) v = vaddq_f32(vmulq_f32(v, vld1q_f32(scale + 4 * j)), vld1q_f32(bias + 4 * j));
    vst1q_f32(at + 4 * j, v);
  }
  if (n < 16) memcpy(c, edge, n * sizeof *c);
}

/* n ≤ 16 values in place, or copied to `copy` and padded with zeros. */
INLINE const float *padded(size_t n, const float *x, float *copy) {
  if (n == 16) return x;
  memset(copy, 0, 16 * sizeof *copy);
  memcpy(copy, x, n * sizeof *copy);
  return copy;
}
